rule relate:
    input:
        unpack(inputs("relate")),
    output:
        record=record("relate"),
    log:
        log_file("relate"),
    benchmark:
        benchmark_file("relate")
    conda:
        "../envs/pam.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input.data, parent=True),
        trunk=trunk_flag,
        code=code_of("relate"),
        settings=settings_hash("relate"),
    message:
        "{wildcards.experiment}: relating tasks by {wildcards.relatedness}, seed {wildcards.seed}"
    shell:
        command(
            'relate --config "$PAM_CONFIG" --experiment {wildcards.experiment}'
            " --relatedness {wildcards.relatedness} --seed {wildcards.seed} --data {params.data}"
            " --networks {input.networks} {params.trunk}"
            " --record {output.record} --log {log} > {log} 2>&1"
        )
