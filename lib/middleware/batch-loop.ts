/** One record of a batch, as the loop sees it. */
export interface Task {
  /**
   * Records that have a lane in common run one after the other, in the order of the batch, and not after a failure: those
   * that are left have failed as well.
   */
  readonly lanes: readonly string[]
  /** Rejects when the record has failed. */
  readonly run: () => Promise<void>
}

/**
 * What became of a record.
 *
 * - `failed`: it ran or was to run, and the error says why not to the end;
 * - `behind-failure`: an earlier one of its lane has failed, so it was not started;
 * - `out-of-time`: too little of the invocation was left to start it.
 */
export type Verdict =
  | { readonly as: 'done' }
  | { readonly as: 'failed'; readonly error: unknown }
  | { readonly as: 'behind-failure' | 'out-of-time' }

export interface LoopLimits {
  readonly concurrency: number
  /** Asked right before each start. */
  readonly mayStart: () => boolean
}

/** The one loop over records, whatever queue or stream they come from. Never rejects; the verdicts are in the order of the tasks. */
export function runInLanes(tasks: readonly Task[], limits: LoopLimits): Promise<readonly Verdict[]> {
  const slots = new Slots(limits.concurrency)
  const lastIn = new Map<string, Promise<Verdict>>()
  const verdicts = tasks.map((task) => {
    const ahead = task.lanes.map((lane) => lastIn.get(lane))
    const verdict = follow(ahead, task, { slots, mayStart: limits.mayStart })
    for (const lane of task.lanes) lastIn.set(lane, verdict)
    return verdict
  })
  return Promise.all(verdicts)
}

interface Way {
  readonly slots: Slots
  readonly mayStart: () => boolean
}

/** Who waits holds no slot, and waits for earlier records only: so nobody waits in a circle. */
async function follow(ahead: readonly (Promise<Verdict> | undefined)[], task: Task, way: Way): Promise<Verdict> {
  for (const earlier of await Promise.all(ahead)) {
    if (earlier && earlier.as !== 'done') return { as: 'behind-failure' }
  }
  await way.slots.take()
  try {
    if (!way.mayStart()) return { as: 'out-of-time' }
    await task.run()
    return { as: 'done' }
  } catch (error) {
    return { as: 'failed', error }
  } finally {
    way.slots.give()
  }
}

/** So many at once, first come, first served. */
class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  give(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}
