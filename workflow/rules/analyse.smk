rule analyse:
    input:
        data=PATHS.data_description(),
        merged=PATHS.merged(),
        pruned=PATHS.pruned(),
    output:
        record=PATHS.analysed(),
    log:
        log_file("analyse", "{experiment}/{merging}-{pruning}-{seed}"),
    benchmark:
        benchmark_file("analyse", "{experiment}/{merging}-{pruning}-{seed}")
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        config=CONFIG_FILE,
        data=subpath(input.data, parent=True),
        code=stage_code("analyse"),
        settings=stage_settings("analyse"),
    message:
        "{wildcards.experiment}: analysing {wildcards.merging} + {wildcards.pruning}, seed {wildcards.seed}"
    shell:
        "python -m pam.cli analyse --config {params.config} --experiment {wildcards.experiment}"
        " --merging {wildcards.merging} --pruning {wildcards.pruning} --seed {wildcards.seed}"
        " --data {params.data} --merged {input.merged} --pruned {input.pruned}"
        " --record {output.record} --log {log} > {log} 2>&1"
