rule train:
    input:
        data=PATHS.data_description(),
    output:
        network=PATHS.network(),
        record=PATHS.network(suffix=".json"),
    log:
        log_file("train", "{experiment}/{task}-{seed}"),
    benchmark:
        benchmark_file("train", "{experiment}/{task}-{seed}")
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        config=CONFIG_FILE,
        data=subpath(input.data, parent=True),
        code=stage_code("train"),
        settings=stage_settings("train"),
    message:
        "{wildcards.experiment}: training task {wildcards.task}, seed {wildcards.seed}"
    shell:
        "python -m pam.cli train --config {params.config} --experiment {wildcards.experiment}"
        " --task {wildcards.task} --seed {wildcards.seed} --data {params.data}"
        " --out {output.network} --record {output.record} --log {log} > {log} 2>&1"
