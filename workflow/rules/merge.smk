rule merge:
    input:
        unpack(inputs("merge")),
    output:
        network=artefact("merge"),
        record=record("merge"),
    log:
        log_file("merge"),
    benchmark:
        benchmark_file("merge")
    conda:
        "../envs/pam.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input.data, parent=True),
        code=code_of("merge"),
        settings=settings_hash("merge"),
    message:
        "{wildcards.experiment}: merging by {wildcards.merging}, seed {wildcards.seed}"
    shell:
        command(
            'merge --config "$PAM_CONFIG" --experiment {wildcards.experiment}'
            " --merging {wildcards.merging} --seed {wildcards.seed} --data {params.data}"
            " --networks {input.networks}"
            " --out {output.network} --record {output.record} --log {log} > {log} 2>&1"
        )
