# Pruning and measuring in one process, which loads libraries and data once. Files that are to be
# updated stay where they are: if only measuring has changed, nothing is pruned again.
rule prune:
    input:
        unpack(inputs("merge")),
        merged=artefact("merge"),
    output:
        network=update(artefact("prune")),
        record=update(record("prune")),
        measured=record("measure"),
    log:
        log_file("prune"),
    benchmark:
        benchmark_file("prune")
    conda:
        "../envs/pam.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
    params:
        data=subpath(input.data, parent=True),
        code=code_of("prune", "measure"),
        settings=settings_hash("prune", "measure"),
    message:
        "{wildcards.experiment}: pruning and measuring {wildcards.merging} + {wildcards.pruning}, seed {wildcards.seed}"
    shell:
        command(
            'prune --config "$PAM_CONFIG" --experiment {wildcards.experiment}'
            " --merging {wildcards.merging} --pruning {wildcards.pruning} --seed {wildcards.seed}"
            " --data {params.data} --network {input.merged} --networks {input.networks}"
            " --out {output.network} --record {output.record} --measured {output.measured}"
            " --log {log} > {log} 2>&1"
        )
