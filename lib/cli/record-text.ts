import type { Cell, Color, Paint } from './columns.ts'
import { columns } from './columns.ts'
import { ago, iso } from './duration.ts'
import type { HolderView, InterventionView, LockView, OnceView, RecordView, State } from './view.ts'

const COLORS: { readonly [state in State]: Color | undefined } = {
  held: 'green',
  running: 'green',
  expired: 'yellow',
  stuck: 'red',
  completed: undefined,
  free: 'dim',
}

export const stateCell = (state: State): Cell => ({ text: state, color: COLORS[state] })

/** Until when, in the words of the state. */
export function leaseText(view: RecordView, now: number): string {
  if (view.kind === 'once' && view.state === 'completed') return `replayed, ends ${ago(view.replayedUntilMs ?? 0, now)}`
  const ends = view.kind === 'lock' ? view.holders.map(({ expiresAtMs }) => expiresAtMs) : [view.expiresAtMs ?? 0]
  if (view.state === 'free' || ends.length === 0) return ''
  const last = Math.max(...ends)
  return `${last > now ? 'ends' : 'ended'} ${ago(last, now)}`
}

export function holderText(view: RecordView): string {
  if (view.kind === 'once') return view.label ?? ''
  const [first, ...others] = view.holders
  const name = first ? (first.label ?? `owner ${first.owner}`) : ''
  return others.length > 0 ? `${name} and ${others.length} more` : name
}

/** What a line of a list says besides. */
export function remark(view: RecordView): string {
  if (view.kind === 'once') return view.attempt > 1 ? `attempt ${view.attempt}` : ''
  const permits =
    view.limit === undefined ? [] : [`${view.holders.reduce((sum, { weight }) => sum + weight, 0)} of ${view.limit} permits`]
  const shared = view.holders.some(({ mode }) => mode === 'shared') ? ['shared'] : []
  const waiting = view.waiting.length > 0 ? [`${view.waiting.length} waiting`] : []
  return [...permits, ...shared, ...waiting].join(', ')
}

/** All that is known of a record, a line for each fact. */
export function recordText(view: RecordView, now: number, paint: Paint): string {
  const facts: readonly (readonly [string, Cell | string | undefined])[] = [
    ['state', stateCell(view.state)],
    ['fence', String(view.fence)],
    ...(view.kind === 'lock' ? lockFacts(view, now) : onceFacts(view, now)),
    ['last release', releaseText(view, now)],
    ['intervention', interventionText(view.intervention, now)],
  ]
  const rows = facts.flatMap(([name, value]) =>
    value === undefined || value === ''
      ? []
      : [[{ text: `  ${name}`, color: 'dim' as const }, typeof value === 'string' ? { text: value } : value]],
  )
  return `${columns([[{ text: view.key, color: 'bold' }]], [MOST_KEY], paint)}${columns(rows, [20, MOST_VALUE], paint)}`
}

const MOST_KEY = 1200
const MOST_VALUE = 400

function lockFacts(view: LockView, now: number): readonly (readonly [string, string])[] {
  return [
    ...view.holders.map((holder) => ['holder', holderLine(holder, now)] as const),
    ['permits', view.limit === undefined ? '' : `${view.limit} in all`],
    ...view.waiting.map(({ owner, label }) => ['waiting', named(owner, label)] as const),
  ]
}

const holderLine = (holder: HolderView, now: number): string => {
  const share = {
    exclusive: '',
    shared: `, shared, fence ${holder.fence}`,
    permit: `, ${holder.weight} permit${holder.weight === 1 ? '' : 's'}, fence ${holder.fence}`,
  }[holder.mode]
  return `${named(holder.owner, holder.label)}${share}, lease ${ending(holder.expiresAtMs, now)}`
}

const named = (owner: string, label: string | undefined): string =>
  label === undefined ? `owner ${owner}` : `${label} (owner ${owner})`

const ending = (ms: number, now: number): string => `${ms > now ? 'ends' : 'ended'} ${moment(ms, now)}`

const moment = (ms: number, now: number): string => `${ago(ms, now)} (${iso(ms) ?? 'never'})`

function onceFacts(view: OnceView, now: number): readonly (readonly [string, string])[] {
  const { owner, label, attempt, expiresAtMs, replayedUntilMs, result, checkpoints, hold, epoch } = view
  return [
    ['run by', owner === undefined ? '' : named(owner, label)],
    ['attempt', String(attempt)],
    ['lease', expiresAtMs === undefined ? '' : ending(expiresAtMs, now)],
    ['on a crash', hold ? 'held: it runs again only when somebody has decided' : ''],
    ['checkpoints', checkpoints.join(', ')],
    ['result', result ? `${result.form}, ${result.codec}, ${result.bytes} bytes` : ''],
    ['replayed', replayedUntilMs === undefined ? '' : ending(replayedUntilMs, now)],
    ['forgotten', epoch > 0 ? `in epoch ${epoch}` : ''],
  ]
}

function releaseText({ lastRelease }: RecordView, now: number): string {
  if (!lastRelease) return ''
  const reason = lastRelease.reason === undefined ? '' : `: ${lastRelease.reason}`
  return `${when(lastRelease.at, now)} by owner ${lastRelease.owner}${reason}`
}

export function interventionText(intervention: InterventionView | undefined, now: number): string {
  if (!intervention) return ''
  const { by, reason, fence, at } = intervention
  return `${when(at, now)} by ${by ?? 'somebody'} on fence ${fence}: ${reason}`
}

const when = (at: string | undefined, now: number): string =>
  // Written down as the latest time that it can have been, which may be a little ahead.
  at === undefined ? 'at some time' : ago(Math.min(Date.parse(at), now), now)
