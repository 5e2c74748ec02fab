import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { appendCharge, type JournalEntry } from './journal.ts'
import { closeServer, headerOf, listenOnLoopback, readBody } from './loopback.ts'
import { answerOrBreak, DELIVERY_HEADER, type Transit, untouched } from './transit.ts'

export interface LedgerOptions {
  /** The append-only journal, JSON lines, of the charges that were made. The file must exist. */
  readonly journal: string
  /** Accounts whose card is declined. */
  readonly declined?: ReadonlySet<string>
  /** What the network does to a request. Default: nothing. */
  readonly transit?: Transit
  /** Told of each charge, once it is in the journal. */
  readonly onCharge?: (entry: JournalEntry) => void
}

export interface Ledger {
  readonly url: string
  close(): Promise<void>
}

/**
 * A payment provider as Stripe is one: an `Idempotency-Key` makes a charge once, and its answer is given again to the same
 * parameters; other parameters under the same key are refused. Without a key every request is a charge.
 */
export async function startLedger(options: LedgerOptions): Promise<Ledger> {
  const charges = new Charges(options)
  const { transit = untouched } = options
  const server = createServer((request, response) =>
    answerOrBreak(request.socket, serve(request, response, { charges, transit })),
  )
  const port = await listenOnLoopback(server)
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) }
}

interface Answer {
  readonly status: number
  readonly body: { readonly [name: string]: unknown }
}

class Charges {
  readonly #options: LedgerOptions
  readonly #answers = new Map<string, { readonly parameters: string; readonly answer: Answer }>()
  #made = 0

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  /** Synchronous: two requests under one key can't pass each other between the look and the charge. */
  charge(body: string, key: string | undefined): Answer {
    const parameters = parseParameters(body)
    if (!parameters) return { status: 400, body: { reason: 'paymentId, accountId, amountMinor and currency are required' } }
    const known = key === undefined ? undefined : this.#answers.get(key)
    const canonical = JSON.stringify(parameters)
    if (known?.parameters === canonical) return known.answer
    if (known) return { status: 422, body: { reason: 'this idempotency key was used for another charge' } }
    const answer = this.#make(parameters)
    if (key !== undefined) this.#answers.set(key, { parameters: canonical, answer })
    return answer
  }

  #make(parameters: Parameters): Answer {
    if (this.#options.declined?.has(parameters.accountId)) return { status: 402, body: { reason: 'card declined' } }
    const entry = { chargeId: `ch_${++this.#made}`, ...parameters, atMs: Date.now() }
    appendCharge(this.#options.journal, entry)
    this.#options.onCharge?.(entry)
    return { status: 200, body: { chargeId: entry.chargeId } }
  }
}

type Parameters = Omit<JournalEntry, 'chargeId' | 'atMs'>

function parseParameters(body: string): Parameters | undefined {
  try {
    const { paymentId, accountId, amountMinor, currency } = JSON.parse(body) as { readonly [name: string]: unknown }
    if (typeof paymentId !== 'string' || typeof accountId !== 'string') return undefined
    if (typeof amountMinor !== 'number' || typeof currency !== 'string') return undefined
    return { paymentId, accountId, amountMinor, currency }
  } catch {
    return undefined
  }
}

interface Serving {
  readonly charges: Charges
  readonly transit: Transit
}

async function serve(request: IncomingMessage, response: ServerResponse, { charges, transit }: Serving): Promise<void> {
  const body = (await readBody(request)).toString()
  const parcel = { delivery: headerOf(request, DELIVERY_HEADER), step: 'charge' }
  const answer = await transit(parcel, async () => {
    if (request.method === 'POST' && request.url === '/charges') return charges.charge(body, headerOf(request, 'idempotency-key'))
    return { status: 404, body: { reason: 'POST /charges is all there is' } }
  })
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
}
