import type { LockBreak, OnceForget } from '../store/command.ts'
import type { Fence, RecordKey } from '../store/record.ts'
import { absent } from './get.ts'
import { printable, widthOf } from './printable.ts'
import { recordText } from './record-text.ts'
import type { Session } from './session.ts'
import { STATUS, UsageError } from './status.ts'
import { type RecordView, viewOf } from './view.ts'

export interface StepOptions {
  readonly reason: string
  readonly by?: string | undefined
  readonly fence?: number | undefined
  readonly yes?: boolean | undefined
}

/** They lie in the record, which should stay below 1 KiB. */
const MOST_REASON = 200
const MOST_BY = 64

const WORDS = {
  'lock.break': {
    question: 'Break it? Its holder is told, not stopped: what it still writes is refused only where the fence is checked.',
    done: 'broken',
    nothing: 'Nobody holds it.',
  },
  'once.forget': {
    question: 'Forget it? The next call with this key runs the operation again, with new downstream keys.',
    done: 'forgotten',
    nothing: 'There is nothing to forget: nobody runs it, and it has no result.',
  },
} as const

/** An operator steps in: looks, decides on what is there, and changes that and nothing later. */
export async function stepIn(
  session: Session,
  type: 'lock.break' | 'once.forget',
  target: { readonly key: RecordKey; readonly options: StepOptions },
): Promise<number> {
  const { key, options } = target
  const { reason, by } = audit(session, options)
  const { look, now: clockOf, place, store } = await session.open()
  const record = await look(key)
  if (!record) return absent(session, key, place)
  const now = clockOf()
  const view = viewOf(key, record, now)
  const fence = options.fence ?? onlyFence(view)
  if (fence === undefined) return nothing(session, WORDS[type].nothing)
  if (!options.yes && !(await agreed(session, recordText(view, now.latest, session.paint), WORDS[type].question))) {
    session.note('Nothing was changed.')
    return STATUS.failed
  }
  const command = { type, key, owner: store.runtime.random.id(), fence: fence as Fence, reason, by } as LockBreak | OnceForget
  const { outcome } = await store.execute(command)
  if (outcome === 'unchanged') {
    return nothing(
      session,
      `The fence ${fence} is not the one that is there now, so nothing was changed. Look again with: alonce get ${key}`,
    )
  }
  session.tell(
    { outcome, key, fence, reason, by },
    `${key} is ${WORDS[type].done} (fence ${fence}, by ${printable(by)}: ${printable(reason)})\n`,
  )
  return STATUS.done
}

function audit(
  { surroundings }: Session,
  { reason, by = surroundings.user }: StepOptions,
): { readonly reason: string; readonly by: string } {
  if (reason.trim() === '' || widthOf(reason) > MOST_REASON)
    throw new UsageError(`--reason must have 1 to ${MOST_REASON} characters: others will read it.`)
  if (by.trim() === '' || widthOf(by) > MOST_BY) throw new UsageError(`--by must have 1 to ${MOST_BY} characters.`)
  return { reason, by }
}

/** Which grant is meant, where there is only one. */
function onlyFence(view: RecordView): number | undefined {
  if (view.kind === 'once') return view.owner === undefined ? undefined : view.fence
  const [first, ...others] = view.holders
  if (others.length === 0) return first?.fence
  const fences = view.holders.map(({ fence, label, owner }) => `${fence} (${label ?? `owner ${owner}`})`).join(', ')
  throw new UsageError(`${view.holders.length} hold it together. Say with --fence whose grant to break: ${printable(fences)}.`)
}

async function agreed({ surroundings }: Session, record: string, question: string): Promise<boolean> {
  const { ask, err } = surroundings
  if (!ask) throw new UsageError('Nobody is there to confirm it. Look at the record with "alonce get", then add --yes.')
  err.write(record)
  return /^y(es)?$/i.test((await ask(`${question} [y/N] `)).trim())
}

function nothing(session: Session, why: string): number {
  session.note(why)
  return STATUS.nothing
}
