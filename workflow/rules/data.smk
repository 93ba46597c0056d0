rule prepare:
    output:
        PATHS.outputs(Cell.pattern("prepare"))[:-1],
        record=record("prepare"),
    log:
        log_file("prepare"),
    benchmark:
        benchmark_file("prepare")
    conda:
        "../envs/pam.yml"
    threads: CONFIG.threads
    resources:
        gpu=0,
    params:
        folder=subpath(output.record, parent=True),
        code=code_of("prepare"),
        settings=settings_hash("prepare"),
        raw=raw_data("prepare"),
    message:
        "{wildcards.experiment}: preparing the data"
    shell:
        command(
            'prepare --config "$PAM_CONFIG" --experiment {wildcards.experiment}'
            ' --out {params.folder} ${{PAM_DATA:+--root "$PAM_DATA"}} $PAM_DOWNLOAD'
            " --allow-missing --log {log} > {log} 2>&1"
        )
