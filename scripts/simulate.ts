/**
 * `npm run simulate -- --seed N --seeds M`: the whole cluster in simulated worlds, one for each seed from N on.
 *
 * | option | what |
 * |---|---|
 * | `--seed N`, `--seeds M` | the first seed (1) and how many (100); a long run can be cut into ranges |
 * | `--workers W` | how many at a time (all cores) |
 * | `--keep 1,4`, `--until MS` | only these faults of the seed, and until then: a run that was shrunk |
 * | `--trace` | print what happens, line by line |
 * | `--mutants [NAME …]` | plant each known bug (or these), and print which check found it, and with which seed |
 * | `--planted NAME` | plant this one bug |
 * | `--json` | print one object at the end: the summary, or the mutants |
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { runMutants } from './simulate/mutants.ts'
import { runRange } from './simulate/range.ts'
import { replay } from './simulate/replay.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    workers: { type: 'string' },
    keep: { type: 'string' },
    until: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    planted: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const first = Number(values.seed)
const count = Number(values.seeds ?? (values.mutants ? 2000 : 100))
const workers = Number(values.workers ?? availableParallelism())
const { planted, json, trace } = values
const keep = values.keep === undefined ? undefined : values.keep === 'none' ? [] : values.keep.split(',').map(Number)
const horizonMs = values.until === undefined ? undefined : Number(values.until)

if (values.mutants) process.exitCode = await runMutants({ first, count, workers, json, names: positionals })
else if (trace || keep || horizonMs !== undefined)
  process.exitCode = await replay({ seed: first, keep, horizonMs, trace }, planted)
else process.exitCode = await runRange({ first, count, workers, json, planted })
