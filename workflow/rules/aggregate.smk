rule aggregate:
    input:
        records=PATHS.records(CONFIG),
        # When data were prepared once more, but are the same, nothing is to be done.
        data=[ancient(str(path)) for path in PATHS.data_records(CONFIG)],
    output:
        csvs=CSV_FILES,
        manifest=PATHS.manifest,
    log:
        log_file("aggregate", "aggregate"),
    benchmark:
        benchmark_file("aggregate", "aggregate")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
    params:
        config=CONFIG_FILE,
        results=subpath(output.manifest, parent=True),
        code=code_hash("aggregate"),
        settings=config_hash(CONFIG.deltas),
    message:
        "Gathering the rows of all jobs"
    shell:
        "python -m pam.cli aggregate --config {params.config} --results {params.results} > {log} 2>&1"
