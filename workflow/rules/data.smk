rule prepare:
    output:
        description=PATHS.data_description(),
        record=PATHS.data_record(),
        tensors=expand(
            "{folder}/{part}.safetensors",
            folder=PATHS.data(),
            part=["train", "validation", "test"],
            allow_missing=True,
        ),
    log:
        log_file("prepare", "{experiment}"),
    benchmark:
        benchmark_file("prepare", "{experiment}")
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=0,
    params:
        config=CONFIG_FILE,
        folder=subpath(output.description, parent=True),
        code=stage_code("prepare"),
        settings=stage_settings("prepare"),
        raw=raw_data,
    message:
        "{wildcards.experiment}: preparing the data"
    shell:
        "python -m pam.cli prepare --config {params.config} --experiment {wildcards.experiment}"
        ' --out {params.folder} ${{PAM_DATA:+--root "$PAM_DATA"}} $PAM_DOWNLOAD'
        " --allow-missing --log {log} > {log} 2>&1"
