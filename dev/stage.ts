import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLedger } from '../demo/ledger.ts'
import { closeServer } from '../demo/loopback.ts'
import type { DevArguments } from './arguments.ts'
import { DevFunction } from './dev-function.ts'
import { httpServer, listen, type Routes, type Served } from './http-server.ts'
import { entryOf } from './lambda/bundle.ts'
import type { Variables } from './lambda/environment.ts'
import { Queue } from './lambda/queue.ts'
import { runtimeClient } from './lambda/runtime-client.ts'
import type { Log } from './log.ts'
import { openTables, type Tables } from './tables.ts'
import { batchLog, httpTrigger, journalRoutes, queueRoutes, scheduledEvent, scheduleRoutes } from './triggers.ts'
import { watchSources } from './watch.ts'

export interface StageOptions extends Omit<DevArguments, 'json'> {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

export interface Stage {
  readonly url: string
  readonly tables: Pick<Tables, 'kind' | 'where'>
  /** What can be asked for: `POST /payments`, … */
  readonly routes: readonly string[]
  close(): Promise<void>
}

const ROOT = join(import.meta.dirname, '..')
const SOURCES = ['functions', 'lib'].map((folder) => join(ROOT, folder))
const TIMEOUT_MS = 10_000
/** Lambda wants six times the function's time-out; who develops does not want to wait a minute for the second receive. */
const ORDERS = { timeoutMs: 5000, visibilityMs: 5000, maxReceiveCount: 3, batchSize: 10, pollers: 2 }

type Close = () => Promise<void> | void

/** Everything that runs, and how it ends: the last that was opened is the first to be closed. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const closing: Close[] = []
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one()
  }
  try {
    return { ...(await open(options, (one) => closing.push(one))), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function open(options: StageOptions, onClose: (close: Close) => void): Promise<Omit<Stage, 'close'>> {
  const { env, log, port } = options
  runtimeClient((text) => log({ source: 'dev', event: 'install', text }))
  const tables = await openTables(env)
  onClose(() => tables.close())
  const provider = await openProvider(env['PAYMENT_PROVIDER_URL'], onClose)
  const variables = { ...tables.variables, PAYMENT_PROVIDER_URL: provider.url }
  const functions = await startFunctions({ tables, variables, log })
  for (const fn of Object.values(functions)) onClose(() => fn.stop())
  const routes = { ...triggersOf(functions, options, onClose), ...provider.routes }
  onClose(watchSources(SOURCES, (files) => reload(Object.values(functions), files, log)))
  const server = httpServer({ routes, onRequest: (served) => log(lineOf(served)) })
  const url = `http://127.0.0.1:${await listen(server, port)}`
  onClose(() => closeServer(server))
  return { url, tables, routes: Object.keys(routes) }
}

interface Functions {
  readonly payments: DevFunction
  readonly orders?: DevFunction
  readonly settlement?: DevFunction
}
interface Parts {
  readonly tables: Tables
  readonly variables: Variables
  readonly log: Log
}

/** Orders and settlement write items of their own, for which a store in memory has no place. */
async function startFunctions({ tables, variables, log }: Parts): Promise<Functions> {
  if (tables.kind === 'memory') {
    const entry = join(import.meta.dirname, 'payments-on-memory.ts')
    return {
      payments: await DevFunction.start({ name: 'payments', entry, timeoutMs: TIMEOUT_MS, environments: 4, variables, log }),
    }
  }
  const start = (name: 'payments' | 'orders' | 'settlement', timeoutMs: number, environments: number): Promise<DevFunction> =>
    DevFunction.start({ name, entry: entryOf(name), timeoutMs, environments, variables, log })
  const [payments, orders, settlement] = await Promise.all([
    start('payments', TIMEOUT_MS, 4),
    start('orders', ORDERS.timeoutMs, ORDERS.pollers),
    start('settlement', TIMEOUT_MS, 2),
  ])
  return { payments, orders, settlement }
}

function triggersOf({ payments, orders, settlement }: Functions, options: StageOptions, onClose: (close: Close) => void): Routes {
  return {
    ...httpTrigger(payments, '/payments'),
    ...(orders ? queueTrigger(orders, options.log, onClose) : {}),
    ...(settlement ? scheduleTrigger(settlement, options.everyMs, onClose) : {}),
  }
}

function queueTrigger(fn: DevFunction, log: Log, onClose: (close: Close) => void): Routes {
  const onDead = (messageId: string): void =>
    log({ source: fn.name, event: 'dead', text: `dead-letter queue: ${messageId}`, messageId })
  const queue = new Queue(fn, { ...ORDERS, onBatch: batchLog(log, fn.name, ORDERS), onDead })
  const stop = new AbortController()
  // Not awaited: what is with the function when it is stopped gets no answer.
  void queue.run(stop.signal)
  onClose(() => stop.abort())
  return queueRoutes(queue, `/queues/${fn.name}`)
}

function scheduleTrigger(fn: DevFunction, everyMs: number | undefined, onClose: (close: Close) => void): Routes {
  if (everyMs !== undefined) {
    const timer = setInterval(() => void fn.invoke(scheduledEvent(new Date())), everyMs)
    onClose(() => clearInterval(timer))
  }
  return scheduleRoutes(fn, `/schedules/${fn.name}`)
}

interface Provider {
  readonly url: string
  readonly routes: Routes
}

/** The demo's, which writes its charges down, unless the user has one. */
async function openProvider(given: string | undefined, onClose: (close: Close) => void): Promise<Provider> {
  if (given) return { url: given, routes: {} }
  const folder = mkdtempSync(join(tmpdir(), 'alonce-dev-'))
  onClose(() => rmSync(folder, { recursive: true, force: true }))
  const journal = join(folder, 'charges.jsonl')
  writeFileSync(journal, '')
  const ledger = await startLedger({ journal })
  onClose(() => ledger.close())
  return { url: ledger.url, routes: journalRoutes(journal) }
}

async function reload(functions: readonly DevFunction[], files: readonly string[], log: Log): Promise<void> {
  const tell = (event: string, text: string): void => log({ source: 'dev', event, text, files })
  try {
    await Promise.all(functions.map((fn) => fn.reload()))
    tell('reloaded', `reloaded after a change of ${files.map((file) => file.slice(ROOT.length + 1)).join(', ')}`)
  } catch (error) {
    tell('broken', `not reloaded, the functions stay as they were: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const lineOf = ({ route, status, durationMs, replayed }: Served) => ({
  source: 'dev',
  event: 'request',
  text: `${route} ${status} in ${Math.round(durationMs)} ms${replayed ? ', replayed' : ''}`,
  route,
  status,
  durationMs,
  replayed,
})
