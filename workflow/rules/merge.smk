rule merge:
    input:
        data=PATHS.data_description(),
        networks=task_networks,
    output:
        network=PATHS.merged(),
        record=PATHS.merged(suffix=".json"),
    log:
        log_file("merge", "{experiment}/{merging}-{seed}"),
    benchmark:
        benchmark_file("merge", "{experiment}/{merging}-{seed}")
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        config=CONFIG_FILE,
        data=subpath(input.data, parent=True),
        code=stage_code("merge"),
        settings=stage_settings("merge"),
    message:
        "{wildcards.experiment}: merging by {wildcards.merging}, seed {wildcards.seed}"
    shell:
        "python -m pam.cli merge --config {params.config} --experiment {wildcards.experiment}"
        " --merging {wildcards.merging} --seed {wildcards.seed} --data {params.data}"
        " --networks {input.networks}"
        " --out {output.network} --record {output.record} --log {log} > {log} 2>&1"
