/**
 * Whether a history could have come from one copy that does one thing at a time (Herlihy and Wing, 1990), by search: Wing and
 * Gong's algorithm (1993) with Lowe's memory of configurations seen (2017).
 */
export interface HistoryOperation<Action> {
  readonly action: Action
  readonly start: number
  /** `Infinity`: nobody knows the outcome, so it may have taken effect at any time after `start`, or never. */
  readonly end: number
}

export interface Model<State, Action> {
  readonly initial: State
  /** The state after it; `undefined` if it can't have gone like that. Several if the outcome is not known. */
  step(state: State, action: Action): readonly State[]
  key(state: State): string
}

export type Verdict = 'linearizable' | 'not linearizable' | 'undecided'

export function checkHistory<State, Action>(
  history: readonly HistoryOperation<Action>[],
  model: Model<State, Action>,
  maxSteps = 200_000,
): Verdict {
  const operations = [...history].sort((a, b) => a.start - b.start)
  const known = operations.filter(({ end }) => end !== Number.POSITIVE_INFINITY).length
  const seen = new Set<string>()
  let steps = 0

  /** `done`: which ones have taken effect; `from`: all before it have. */
  function search(done: Set<number>, left: number, from: number, state: State): boolean | undefined {
    if (left === 0) return true
    if (++steps > maxSteps) return undefined
    const key = `${from}|${[...done].sort((a, b) => a - b).join(',')}|${model.key(state)}`
    if (seen.has(key)) return false
    seen.add(key)
    let undecided = false
    // Whoever began after another's end comes after it.
    let deadline = Number.POSITIVE_INFINITY
    for (let i = from; i < operations.length; i++) {
      const operation = operations[i] as HistoryOperation<Action>
      if (done.has(i)) continue
      if (operation.start > deadline) break
      if (operation.end < deadline) deadline = operation.end
    }
    for (let i = from; i < operations.length; i++) {
      const operation = operations[i] as HistoryOperation<Action>
      if (operation.start > deadline) break
      if (done.has(i)) continue
      for (const next of model.step(state, operation.action)) {
        const [after, first] = taken(done, from, i)
        const result = search(after, operation.end === Number.POSITIVE_INFINITY ? left : left - 1, first, next)
        if (result === true) return true
        undecided ||= result === undefined
      }
    }
    return undecided ? undefined : false
  }

  const result = search(new Set(), known, 0, model.initial)
  return result === undefined ? 'undecided' : result ? 'linearizable' : 'not linearizable'
}

function taken(done: ReadonlySet<number>, from: number, i: number): [Set<number>, number] {
  const after = new Set(done)
  after.add(i)
  let first = from
  while (after.delete(first)) first++
  return [after, first]
}
