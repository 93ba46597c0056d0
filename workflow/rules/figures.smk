rule tables:
    input:
        csvs=CSV_FILES,
        manifest=PATHS.manifest,
    output:
        directory(PATHS.record(Cell("tables"))),
    log:
        log_file("tables"),
    benchmark:
        benchmark_file("tables")
    localrule: True
    conda:
        "../envs/pam.yml"
    threads: 1
    resources:
        gpu=0,
    params:
        results=subpath(input.manifest, parent=True),
        code=stage_code("tables"),
    message:
        "Writing the tables"
    shell:
        command("tables --results {params.results} --out {output} > {log} 2>&1")


rule figures:
    input:
        csvs=CSV_FILES,
        manifest=PATHS.manifest,
    output:
        directory(FIGURES),
    log:
        log_file("figures"),
    benchmark:
        benchmark_file("figures")
    localrule: True
    conda:
        "../envs/pam.yml"
    threads: 4
    resources:
        gpu=0,
    params:
        results=subpath(input.manifest, parent=True),
        code=stage_code("figures"),
    message:
        "Drawing the figures"
    shell:
        command(
            "figures --results {params.results} --out {output} --processes {threads} > {log} 2>&1"
        )
