rule tables:
    input:
        csvs=CSV_FILES,
        manifest=PATHS.manifest,
    output:
        tables=report(
            directory(PATHS.tables),
            patterns=["{name}.csv", "{name}.md"],
            caption="../report/tables.rst",
            category="Tables",
        ),
    log:
        log_file("tables", "tables"),
    benchmark:
        benchmark_file("tables", "tables")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
    params:
        results=subpath(input.manifest, parent=True),
        code=code_hash("tables"),
    message:
        "Writing the tables"
    shell:
        "python -m pam.cli tables --results {params.results} --out {output.tables} > {log} 2>&1"


rule figures:
    input:
        csvs=CSV_FILES,
        manifest=PATHS.manifest,
    output:
        figures=report(
            directory(FIGURES),
            patterns=["{name}.svg"],
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        log_file("figures", "figures"),
    benchmark:
        benchmark_file("figures", "figures")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
    params:
        results=subpath(input.manifest, parent=True),
        code=code_hash("figures"),
    message:
        "Drawing the figures"
    shell:
        "python -m pam.cli figures --results {params.results} --out {output.figures} > {log} 2>&1"
