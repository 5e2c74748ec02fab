import { idealMs } from '../parts/contention.ts'
import type { Results } from '../results.ts'
import { figure, spreadText } from '../statistics.ts'
import { effectGoals } from './effect-goals.ts'
import type { Goal } from './goal.ts'

/** What the project wants to reach, beside what this run has seen. */
export function goalsOf(results: Results): Goal[] {
  const { effects, fair } = results
  return [
    ...cpuGoal(results),
    ...sizeGoals(results),
    ...capacityGoal(results),
    ...contentionGoals(results),
    ...(effects && fair ? effectGoals(effects, { ...fair, idealMs: idealMs(fair) }) : []),
    ...raftGoals(results),
  ]
}

function cpuGoal({ cpu }: Results): Goal[] {
  const of = (product: string) => cpu?.find((one) => one.product === product)?.ratio
  const [ours, theirs] = [of('alonce'), of('powertools')]
  if (!ours || !theirs) return []
  const measured = `${spreadText(ours)}; Powertools ${spreadText(theirs)}`
  return [
    { what: 'Processor time of a first call ÷ two bare calls of the SDK', goal: '≤ 1.10', measured, met: ours.median <= 1.1 },
  ]
}

function sizeGoals({ imports, bundles }: Results): Goal[] {
  const [ours, theirs] = [imports?.[0]?.ms, imports?.[1]?.ms]
  const all = bundles?.find(({ name }) => name.startsWith('Alonce: everything'))
  if (!ours || !theirs || !all) return []
  const kilobytes = all.gzipped / 1000
  return [
    {
      what: 'Import of `alonce` + `alonce/middy`, without the SDK',
      goal: '≤ 1/3 of Powertools’',
      measured: `${spreadText(ours)} ms; Powertools ${spreadText(theirs)} ms`,
      met: ours.median <= theirs.median / 3,
    },
    {
      what: 'Bundle of core, middy and DynamoDB, gzipped, without the SDK',
      goal: '≤ 10 KB',
      measured: `${figure(kilobytes)} KB`,
      met: kilobytes <= 10,
    },
  ]
}

function capacityGoal({ costs }: Results): Goal[] {
  const of = (product: string) => costs?.find((cost) => cost.product === product && cost.case === 'replay, 100 KB result')
  const [ours, theirs] = [of('alonce'), of('powertools')]
  if (!ours || !theirs) return []
  const units = (cost: { readonly readUnits: number; readonly writeUnits: number }): number => cost.readUnits + cost.writeUnits
  const measured = `${ours.writeUnits} write + ${ours.readUnits} read units; Powertools ${theirs.writeUnits} write units`
  return [
    {
      what: 'Capacity for a replay of a 100 KB JSON result',
      goal: '≤ 1/10 of Powertools’',
      measured,
      met: units(ours) <= units(theirs) / 10,
    },
  ]
}

function contentionGoals({ contention }: Results): Goal[] {
  const ours = contention?.find(({ product, holdMs }) => product === 'alonce' && holdMs === 500)
  if (!ours) return []
  const drain = ours.drainMs / idealMs(ours)
  const all = ours.served === ours.contenders
  return [
    {
      what: '100 contenders, 500 ms holds: writes a grant',
      goal: '≤ 5',
      measured: figure(ours.writesPerGrant),
      met: all && ours.writesPerGrant <= 5,
    },
    {
      what: '100 contenders, 500 ms holds: time to drain ÷ ideal',
      goal: '≤ 1.1',
      measured: figure(drain),
      met: all && drain <= 1.1,
    },
  ]
}

function raftGoals({ raft }: Results): Goal[] {
  if (!raft) return []
  const { coreSteps, simulatedEvents, stall } = raft
  return [
    {
      what: 'Raft, the protocol alone: messages a second, 5 members on one core',
      goal: '≥ 500 000',
      measured: figure(coreSteps.median),
      met: coreSteps.median >= 500_000,
    },
    {
      what: 'Raft, the simulation: ten million events on all cores',
      goal: '≤ 180 s',
      measured: `${figure(1e7 / simulatedEvents.median)} s`,
      met: 1e7 / simulatedEvents.median <= 180,
    },
    {
      what: `Raft: longest turn while ${stall.records} records go into a snapshot`,
      goal: '≤ 10 ms',
      measured: `${spreadText(stall.during)} ms; without a snapshot ${spreadText(stall.without)} ms`,
      met: stall.during.median <= 10,
    },
  ]
}
