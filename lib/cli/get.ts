import type { RecordKey } from '../store/record.ts'
import { iso } from './duration.ts'
import { recordText } from './record-text.ts'
import type { Session } from './session.ts'
import { STATUS } from './status.ts'
import { viewOf } from './view.ts'

export async function get(session: Session, key: RecordKey): Promise<number> {
  const { look, now: clockOf, place } = await session.open()
  const record = await look(key)
  if (!record) return absent(session, key, place)
  const now = clockOf()
  const view = viewOf(key, record, now)
  session.tell(
    { ...view, clock: { earliest: iso(now.earliest), latest: iso(now.latest) } },
    recordText(view, now.latest, session.paint),
  )
  return STATUS.done
}

export function absent(session: Session, key: RecordKey, place: string): number {
  session.note(`There is no record ${key} in ${place}. Nobody has used it, or it was deleted after its time.`)
  return STATUS.nothing
}
