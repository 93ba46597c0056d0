rule aggregate:
    input:
        # When data were prepared once more, but are the same, nothing is to be done.
        [ancient(path) if path.endswith(DATA_RECORD) else path for path in PATHS.records(CONFIG)],
    output:
        csvs=CSV_FILES,
        manifest=PATHS.manifest,
    log:
        log_file("aggregate"),
    benchmark:
        benchmark_file("aggregate")
    localrule: True
    conda:
        "../envs/pam.yml"
    threads: 1
    resources:
        gpu=0,
    params:
        results=subpath(output.manifest, parent=True),
        seeds=f"--seeds '{SEEDS}'" if SEEDS else "",
        code=stage_code("aggregate"),
        settings=config_hash(settings_of(CONFIG, Cell("aggregate"))),
    message:
        "Gathering the rows of all jobs"
    shell:
        command(
            'aggregate --config "$PAM_CONFIG" --results {params.results} {params.seeds}'
            " > {log} 2>&1"
        )
