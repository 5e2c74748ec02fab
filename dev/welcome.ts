import type { DevArguments } from './arguments.ts'
import type { Log } from './log.ts'
import type { Stage } from './stage.ts'

const PAYMENT = '{"paymentId":"p1","accountId":"a1","amountMinor":1250,"currency":"EUR"}'
const MEMORY =
  'Java 17 was not found, so there is no DynamoDB Local: payments run on a store in memory; orders and settlement need DynamoDB and are off.'

/** What is there, and what to do with it. */
export function welcome(
  stage: Stage,
  { log, json, everyMs }: Pick<DevArguments, 'json' | 'everyMs'> & { readonly log: Log },
): void {
  const { url, routes, tables } = stage
  if (tables.kind === 'memory') log({ source: 'dev', event: 'memory', text: MEMORY })
  log({ source: 'dev', event: 'ready', text: `ready, on ${tables.where}`, url, routes, tables: tables.kind })
  if (json) return
  process.stdout.write(`
${routes.map((route) => `  ${asLine(route, url)}${noteOf(route, everyMs)}`).join('\n')}

Charge a payment, and send it again: the answer is the first one's, with "Idempotency-Replayed: true", and there is one charge.

  curl -i ${url}/payments -H 'content-type: application/json' -d '${PAYMENT}'

Functions are reloaded when functions/ or lib/ change. Ctrl-C stops everything.

`)
}

function asLine(route: string, url: string): string {
  const [method = '', path = ''] = route.split(' ')
  return `${method.padEnd(4)} ${url}${path}`
}

function noteOf(route: string, everyMs: number | undefined): string {
  if (!route.includes('/schedules/')) return ''
  return everyMs === undefined ? '   (only when asked: no schedule)' : `   (and every ${everyMs / 1000} s)`
}
