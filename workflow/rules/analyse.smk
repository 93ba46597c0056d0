rule analyse:
    input:
        unpack(inputs("analyse")),
    output:
        record=record("analyse"),
    log:
        log_file("analyse"),
    benchmark:
        benchmark_file("analyse")
    conda:
        "../envs/pam.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input.data, parent=True),
        code=code_of("analyse"),
        settings=settings_hash("analyse"),
    message:
        "{wildcards.experiment}: analysing {wildcards.merging} + {wildcards.pruning}, seed {wildcards.seed}"
    shell:
        command(
            'analyse --config "$PAM_CONFIG" --experiment {wildcards.experiment}'
            " --merging {wildcards.merging} --pruning {wildcards.pruning} --seed {wildcards.seed}"
            " --data {params.data} --merged {input.merged} --pruned {input.pruned}"
            " --record {output.record} --log {log} > {log} 2>&1"
        )
