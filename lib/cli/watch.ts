import { sleep } from '../runtime/runtime.ts'
import { isAlonceError } from '../store/errors.ts'
import type { AlonceRecord, RecordKey } from '../store/record.ts'
import { columns } from './columns.ts'
import { iso } from './duration.ts'
import { holderText, interventionText, leaseText, remark, stateCell } from './record-text.ts'
import type { Session } from './session.ts'
import { STATUS } from './status.ts'
import { STOP_SIGNALS } from './surroundings.ts'
import { type RecordView, viewOf } from './view.ts'

export interface WatchOptions {
  readonly interval: number
  /** Renewals too. */
  readonly renewals?: boolean | undefined
}

/** A change to come: what was seen, when. */
type Sight = { readonly at: string | undefined } & (RecordView | { readonly key: string; readonly state: 'absent' })

/** By reading again and again: no store calls anybody. What came and went between two reads is not seen. */
export async function watch(session: Session, key: RecordKey, options: WatchOptions): Promise<number> {
  const { look, now: clockOf, store } = await session.open()
  const stop = new AbortController()
  const done = session.surroundings.onSignals(STOP_SIGNALS, () => stop.abort())
  let last: string | undefined
  while (!stop.signal.aborted) {
    const record = await patiently(session, look(key))
    if (record !== 'unavailable') {
      const now = clockOf()
      const sight: Sight = { at: iso(now.latest), ...(record ? viewOf(key, record, now) : { key, state: 'absent' as const }) }
      const mark = markOf(sight, options)
      if (mark !== last) session.tell(sight, line(session, sight, now.latest))
      last = mark
    }
    await sleep(store.runtime.timer, options.interval, stop.signal)
  }
  done()
  return STATUS.done
}

/** An outage is worth a line, and no reason to stop looking. */
async function patiently(
  session: Session,
  reading: Promise<AlonceRecord | undefined>,
): Promise<AlonceRecord | undefined | 'unavailable'> {
  try {
    return await reading
  } catch (error) {
    if (!isAlonceError(error, 'STORE_UNAVAILABLE')) throw error
    session.note(error.message)
    return 'unavailable'
  }
}

function markOf(sight: Sight, { renewals }: WatchOptions): string {
  if (sight.state === 'absent') return 'absent'
  const { state, fence, version, intervention } = sight
  const people =
    sight.kind === 'lock'
      ? [sight.holders.map(({ owner }) => owner), sight.waiting.map(({ owner }) => owner)]
      : [sight.owner, sight.checkpoints]
  return JSON.stringify([state, fence, people, intervention, renewals ? version : 0])
}

function line(session: Session, sight: Sight, now: number): string {
  const time = { text: sight.at?.slice(11, 19) ?? '', color: 'dim' as const }
  if (sight.state === 'absent') return columns([[time, { text: 'absent', color: 'dim' }]], [], session.paint)
  const texts = [`fence ${sight.fence}`, holderText(sight), leaseText(sight, now), remark(sight)]
  const step = sight.state === 'free' && sight.intervention ? interventionText(sight.intervention, now) : ''
  const said = [...texts, step].filter((text) => text !== '').map((text) => ({ text }))
  return columns([[time, stateCell(sight.state), ...said]], [8, 10, 24, 40, 40, 200], session.paint)
}
