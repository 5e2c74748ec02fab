import type { AlonceEvent, EventName } from '../../lib/events/events.ts'

/** A record, so that the compiler misses the name that is missing. */
const TOLD: { readonly [name in EventName]: true } = {
  acquired: true,
  waited: true,
  held: true,
  renewed: true,
  'renewal-failed': true,
  released: true,
  'release-failed': true,
  lost: true,
  skipped: true,
  started: true,
  'took-over': true,
  replayed: true,
  rejected: true,
  mismatch: true,
  extended: true,
  'extend-failed': true,
  checkpointed: true,
  'checkpoint-failed': true,
  reconciled: true,
  'reconcile-failed': true,
  completed: true,
  'completion-failed': true,
  abandoned: true,
  'abandon-failed': true,
  'run-unprotected': true,
}

export const EVENTS = Object.keys(TOLD) as readonly EventName[]

const MARK = 'alonce-event '

/** An event on a function's output. */
export const lineOf = (event: unknown): string => `${MARK}${JSON.stringify(event)}\n`

/** `undefined`: a line of the function's own. */
export function eventOf(line: string): AlonceEvent | undefined {
  return line.startsWith(MARK) ? (JSON.parse(line.slice(MARK.length)) as AlonceEvent) : undefined
}

/** `replayed once/charge (1 request, 3 ms)`: what happened, to what, and what it cost. */
export function sentenceOf({ event, kind, key, operation, requests, durationMs, reason }: AlonceEvent): string {
  const what = kind === 'lock' ? key : `once/${operation ?? ''}`
  const cost = [
    requests === undefined ? '' : `${requests} ${requests === 1 ? 'request' : 'requests'}`,
    durationMs === undefined ? '' : `${Math.round(durationMs)} ms`,
    reason ?? '',
  ].filter((part) => part !== '')
  return `${event} ${what}${cost.length > 0 ? ` (${cost.join(', ')})` : ''}`
}
