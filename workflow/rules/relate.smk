rule relate:
    input:
        data=PATHS.data_description(),
        networks=task_networks,
        control=control_network,
    output:
        record=PATHS.related(),
    log:
        log_file("relate", "{experiment}/{relatedness}-{seed}"),
    benchmark:
        benchmark_file("relate", "{experiment}/{relatedness}-{seed}")
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        config=CONFIG_FILE,
        data=subpath(input.data, parent=True),
        code=stage_code("relate"),
        settings=stage_settings("relate"),
    message:
        "{wildcards.experiment}: relating tasks by {wildcards.relatedness}, seed {wildcards.seed}"
    shell:
        "python -m pam.cli relate --config {params.config} --experiment {wildcards.experiment}"
        " --merging {wildcards.relatedness} --seed {wildcards.seed} --data {params.data}"
        " --networks {input.networks} --control {input.control}"
        " --record {output.record} --log {log} > {log} 2>&1"
