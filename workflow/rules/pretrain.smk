rule pretrain:
    input:
        unpack(inputs("pretrain")),
    output:
        network=artefact("pretrain"),
        record=record("pretrain"),
    log:
        log_file("pretrain"),
    benchmark:
        benchmark_file("pretrain")
    conda:
        "../envs/pam.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input.data, parent=True),
        code=code_of("pretrain"),
        settings=settings_hash("pretrain"),
        raw=raw_data("pretrain"),
    message:
        "{wildcards.experiment}: training the trunk, seed {wildcards.seed}"
    shell:
        command(
            'pretrain --config "$PAM_CONFIG" --experiment {wildcards.experiment}'
            " --seed {wildcards.seed} --data {params.data}"
            ' ${{PAM_DATA:+--root "$PAM_DATA"}} $PAM_DOWNLOAD'
            " --out {output.network} --record {output.record} --log {log} > {log} 2>&1"
        )
