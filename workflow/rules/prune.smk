rule prune:
    input:
        data=PATHS.data_description(),
        network=PATHS.merged(),
    output:
        network=PATHS.pruned(),
        record=PATHS.pruned(suffix=".json"),
    log:
        log_file("prune", "{experiment}/{merging}-{pruning}-{seed}"),
    benchmark:
        benchmark_file("prune", "{experiment}/{merging}-{pruning}-{seed}")
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        config=CONFIG_FILE,
        data=subpath(input.data, parent=True),
        code=stage_code("prune"),
        settings=stage_settings("prune"),
    message:
        "{wildcards.experiment}: pruning {wildcards.merging} by {wildcards.pruning}, seed {wildcards.seed}"
    shell:
        "python -m pam.cli prune --config {params.config} --experiment {wildcards.experiment}"
        " --merging {wildcards.merging} --pruning {wildcards.pruning} --seed {wildcards.seed}"
        " --data {params.data} --network {input.network}"
        " --out {output.network} --record {output.record} --log {log} > {log} 2>&1"
