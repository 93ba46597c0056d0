rule train:
    input:
        unpack(inputs("train")),
    output:
        network=artefact("train"),
        record=record("train"),
    log:
        log_file("train"),
    benchmark:
        benchmark_file("train")
    conda:
        "../envs/pam.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input.data, parent=True),
        trunk=trunk_flag,
        code=code_of("train"),
        settings=settings_hash("train"),
    message:
        "{wildcards.experiment}: training task {wildcards.task}, seed {wildcards.seed}"
    shell:
        command(
            'train --config "$PAM_CONFIG" --experiment {wildcards.experiment}'
            " --task {wildcards.task} --seed {wildcards.seed} --data {params.data} {params.trunk}"
            " --out {output.network} --record {output.record} --log {log} > {log} 2>&1"
        )
