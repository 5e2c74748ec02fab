import type { ListEntry } from './backend.ts'
import { type Cell, columns } from './columns.ts'
import { iso } from './duration.ts'
import { holderText, leaseText, remark, stateCell } from './record-text.ts'
import type { Session } from './session.ts'
import { STATUS, UsageError } from './status.ts'
import { type RecordView, STATES, type State, viewOf } from './view.ts'

export interface ListOptions {
  readonly kind?: 'lock' | 'once' | undefined
  readonly prefix?: string | undefined
  readonly state?: readonly State[] | undefined
  readonly all?: boolean | undefined
  readonly limit: number
  readonly scanLimit: number
  readonly from?: string | undefined
  readonly wide?: boolean | undefined
}

/** Without a filter: what is in use, or would be if somebody came. */
const IN_USE: readonly State[] = ['held', 'running', 'expired', 'stuck']

type Row = RecordView | { readonly key: string; readonly state: 'unreadable'; readonly code: string }

interface Listing {
  readonly rows: readonly Row[]
  readonly scanned: number
  readonly readUnits: number
  readonly next: string | undefined
}

export async function ls(session: Session, options: ListOptions): Promise<number> {
  const backend = await session.open()
  const states = options.all ? STATES : (options.state ?? IN_USE)
  const query = {
    prefix: prefixOf(options),
    completed: states.includes('completed') || states.includes('free'),
    from: options.from,
    scanLimit: options.scanLimit,
  }
  const rowOf = ({ key, record }: ListEntry): Row =>
    typeof record === 'string' ? { key, state: 'unreadable', code: record } : viewOf(key, record, backend.now())
  const listing = await collect(session, backend.list(query), { limit: options.limit, states, rowOf })
  const now = backend.now()
  if (session.surroundings.err.isTTY) session.surroundings.err.write(CLEAR)
  const clock = { earliest: iso(now.earliest), latest: iso(now.latest) }
  const { rows, scanned, readUnits, next } = listing
  session.tell(
    { records: rows, scanned, readUnits, next, clock },
    table(session, rows, { now: now.latest, wide: options.wide === true }),
  )
  if (!session.json) session.note(footer(listing, backend.place))
  return STATUS.done
}

function prefixOf({ kind, prefix = '' }: ListOptions): string {
  if (kind === undefined) {
    if (prefix === '' || /^(lock|once)\//.test(prefix)) return prefix
    throw new UsageError(`--prefix ${prefix} needs --kind lock or --kind once, or begins with lock/ or once/.`)
  }
  return prefix.startsWith(`${kind}/`) ? prefix : `${kind}/${prefix}`
}

interface Wanted {
  readonly limit: number
  readonly states: readonly State[]
  rowOf(entry: ListEntry): Row
}

async function collect(
  session: Session,
  pages: ReturnType<Awaited<ReturnType<Session['open']>>['list']>,
  wanted: Wanted,
): Promise<Listing> {
  const { err } = session.surroundings
  const rows: Row[] = []
  let scanned = 0
  let readUnits = 0
  let next: string | undefined
  for await (const page of pages) {
    scanned += page.scanned
    readUnits += page.readUnits
    next = page.next
    if (err.isTTY && next !== undefined) err.write(`${CLEAR}scanned ${scanned} items, found ${rows.length} `)
    for (const [index, entry] of page.entries.entries()) {
      const row = wanted.rowOf(entry)
      if (row.state !== 'unreadable' && !wanted.states.includes(row.state)) continue
      rows.push(row)
      if (rows.length < wanted.limit) continue
      const more = index < page.entries.length - 1 || next !== undefined
      return { rows: sorted(rows), scanned, readUnits, next: more ? entry.position : undefined }
    }
  }
  return { rows: sorted(rows), scanned, readUnits, next }
}

/** Takes the line of the progress away. */
const CLEAR = '\r\u001b[K'

const sorted = (rows: readonly Row[]): readonly Row[] => rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))

const HEADER = ['STATE', 'KEY', 'FENCE', 'HOLDER', 'LEASE', ''].map((text): Cell => ({ text, color: 'dim' }))
const BOUNDS = [10, 72, 16, 32, 28, 40]

function table(session: Session, rows: readonly Row[], { now, wide }: { readonly now: number; readonly wide: boolean }): string {
  if (rows.length === 0) return ''
  return columns([HEADER, ...rows.map((row) => cells(row, now))], wide ? [] : BOUNDS, session.paint)
}

function cells(row: Row, now: number): readonly Cell[] {
  if (row.state === 'unreadable')
    return [{ text: row.state, color: 'red' }, ...[row.key, '', '', '', row.code].map((text) => ({ text }))]
  const texts = [row.key, String(row.fence), holderText(row), leaseText(row, now), remark(row)]
  return [stateCell(row.state), ...texts.map((text) => ({ text }))]
}

function footer({ rows, scanned, readUnits, next }: Listing, place: string): string {
  const count = rows.length === 1 ? '1 record' : `${rows.length} records`
  const cost = `${scanned} item${scanned === 1 ? '' : 's'} of ${place} scanned, ${readUnits} read unit${readUnits === 1 ? '' : 's'}`
  return next === undefined ? `${count}; ${cost}.` : `${count}; ${cost}. There is more: add --from ${next}`
}
