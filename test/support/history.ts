/**
 * What clients saw, and whether V1-V4 hold of it. A recorder writes down what each client believed and when, by a clock that
 * all of them share (one machine, or a world's true time); the checker knows no store and no transition.
 */

/** The client's own belief, told by the client. All times are milliseconds of the shared clock. */
export type Entry = Hold | Execution

/** A stretch in which a client believed that it held a lock. */
export interface Hold {
  readonly what: 'hold'
  readonly key: string
  readonly owner: string
  readonly fence: number
  /** Before the acquire was sent. */
  readonly askedAt: number
  /** When the client had its grant in hand. */
  readonly grantedAt: number
  /** The last moment at which it still believed: before the release was sent. */
  readonly believedUntil: number
  readonly process?: string
}

/** One call of an operation, whatever came of it. */
export interface Execution {
  readonly what: 'call'
  readonly key: string
  readonly owner: string
  readonly askedAt: number
  readonly returnedAt: number
  readonly process?: string
  /** When this call ran the function itself. */
  readonly ran?: { readonly fence: number; readonly from: number; readonly until: number } | undefined
  /**
   * - `completed`: its own run counted; `replayed`: it was given another's result; `refused`: in progress elsewhere;
   * - `zombie`: it ran, and was told that its completion did not count;
   * - `failed`: it ran, threw, and gave the record back.
   */
  readonly outcome: 'completed' | 'replayed' | 'refused' | 'zombie' | 'failed'
  /** The result that the caller was given: replays of one completion are equal. */
  readonly result?: string | undefined
}

export class Recorder {
  readonly entries: Entry[] = []
  readonly #now: () => number
  readonly #process: string | undefined

  constructor(now: () => number, process?: string) {
    this.#now = now
    this.#process = process
  }

  now(): number {
    return this.#now()
  }

  add(entry: Entry): void {
    this.entries.push(this.#process === undefined ? entry : { ...entry, process: this.#process })
  }
}

/** A sentence for each thing that is wrong. Empty: the history is one that Alonce promises. */
export function problems(entries: readonly Entry[]): readonly string[] {
  return [...groupByKey(entries).values()].flatMap((group) => {
    const holds = group.filter((entry) => entry.what === 'hold')
    const calls = group.filter((entry) => entry.what === 'call')
    return [...overlaps(holds), ...fenceProblems(grants(group)), ...reusedOwners(holds), ...completions(calls)]
  })
}

function groupByKey(entries: readonly Entry[]): Map<string, Entry[]> {
  const groups = new Map<string, Entry[]>()
  for (const entry of entries) groups.set(entry.key, [...(groups.get(entry.key) ?? []), entry])
  return groups
}

/** V1: no two clients believe at the same moment. */
function overlaps(holds: readonly Hold[]): string[] {
  const found: string[] = []
  const ordered = [...holds].sort((a, b) => a.grantedAt - b.grantedAt)
  let longest: Hold | undefined
  for (const hold of ordered) {
    if (longest && hold.grantedAt < longest.believedUntil) found.push(`V1: ${tell(longest)} and ${tell(hold)} held at once`)
    if (!longest || hold.believedUntil > longest.believedUntil) longest = hold
  }
  return found
}

interface Grant {
  readonly key: string
  readonly owner: string
  readonly fence: number
  readonly askedAt: number
  readonly from: number
}

const grants = (entries: readonly Entry[]): readonly Grant[] =>
  entries.flatMap((entry): readonly Grant[] => {
    if (entry.what === 'hold') return [{ ...entry, from: entry.grantedAt }]
    return entry.ran ? [{ ...entry, ...entry.ran }] : []
  })

/** V2: no fence twice; a grant that was asked for when another was already in hand has the larger fence. */
function fenceProblems(all: readonly Grant[]): string[] {
  const found: string[] = []
  const ordered = [...all].sort((a, b) => a.fence - b.fence)
  for (const [index, grant] of ordered.entries()) {
    const next = ordered[index + 1]
    if (next?.fence === grant.fence) found.push(`V2: ${tell(grant)} and ${tell(next)} were granted the same fence`)
  }
  // From the largest fence down: the earliest moment at which a larger fence was in hand must not precede a smaller one's request.
  let earliest: Grant | undefined
  for (const grant of ordered.reverse()) {
    if (earliest && earliest.fence > grant.fence && earliest.from < grant.askedAt) {
      found.push(`V2: ${tell(grant)} was asked for after ${tell(earliest)} was in hand, and has the smaller fence`)
    }
    if (!earliest || grant.from < earliest.from) earliest = grant
  }
  return found
}

/** V3: an owner is granted once; a re-sent or late acquire makes no second grant. */
function reusedOwners(holds: readonly Hold[]): string[] {
  const seen = new Map<string, Hold>()
  return holds.flatMap((hold) => {
    const earlier = seen.get(hold.owner)
    seen.set(hold.owner, hold)
    return earlier ? [`V3: ${tell(earlier)} and ${tell(hold)}: one owner was granted twice`] : []
  })
}

/** V3, V4: of an operation's key one run counts, and everybody who is given a result is given that run's. */
function completions(calls: readonly Execution[]): string[] {
  const counted = calls.filter((call) => call.outcome === 'completed')
  const [first, ...others] = counted
  const found = others.map((call) => `V4: ${first ? tell(first) : ''} and ${tell(call)} both counted as completed`)
  const replays = calls.filter((call) => call.outcome === 'replayed')
  if (!first) return [...found, ...replays.map((call) => `V4: ${tell(call)} was replayed a result that nobody completed`)]
  for (const call of replays) {
    if (call.result !== first.result)
      found.push(`V4: ${tell(call)} was given ${call.result}, and the run that counted gave ${first.result}`)
    if (call.returnedAt < (first.ran?.from ?? first.askedAt))
      found.push(`V4: ${tell(call)} was replayed before ${tell(first)} ran`)
  }
  const until = first.returnedAt
  const late = calls.filter((call) => call !== first && call.ran && call.askedAt > until)
  return [...found, ...late.map((call) => `V4: ${tell(call)} ran after ${tell(first)} had completed`), ...runsAtOnce(calls)]
}

/** V1 for operations: a run that ended believing in itself shares no moment with another such run. */
function runsAtOnce(calls: readonly Execution[]): string[] {
  const runs = calls.flatMap((call) => (call.ran && call.outcome !== 'zombie' ? [{ ...call, ...call.ran }] : []))
  const found: string[] = []
  let longest: (typeof runs)[number] | undefined
  for (const run of runs.sort((a, b) => a.from - b.from)) {
    if (longest && run.from < longest.until) found.push(`V1: ${tell(longest)} and ${tell(run)} ran at once`)
    if (!longest || run.until > longest.until) longest = run
  }
  return found
}

const tell = (entry: {
  readonly owner: string
  readonly process?: string
  readonly fence?: number
  readonly askedAt: number
}): string =>
  `${entry.process ?? ''}${entry.process ? '/' : ''}${entry.owner}${entry.fence === undefined ? '' : ` (fence ${entry.fence})`}`
