rule measure:
    input:
        data=PATHS.data_description(),
        networks=task_networks,
        merged=PATHS.merged(),
        pruned=PATHS.pruned(),
    output:
        record=PATHS.measured(),
    log:
        log_file("measure", "{experiment}/{merging}-{pruning}-{seed}"),
    benchmark:
        benchmark_file("measure", "{experiment}/{merging}-{pruning}-{seed}")
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        config=CONFIG_FILE,
        data=subpath(input.data, parent=True),
        code=stage_code("measure"),
        settings=stage_settings("measure"),
    message:
        "{wildcards.experiment}: measuring {wildcards.merging} + {wildcards.pruning}, seed {wildcards.seed}"
    shell:
        "python -m pam.cli measure --config {params.config} --experiment {wildcards.experiment}"
        " --merging {wildcards.merging} --pruning {wildcards.pruning} --seed {wildcards.seed}"
        " --data {params.data} --networks {input.networks} --merged {input.merged}"
        " --pruned {input.pruned} --record {output.record} --log {log} > {log} 2>&1"
