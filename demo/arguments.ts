import { parseArgs } from 'node:util'

export interface DemoArguments {
  readonly store: 'memory' | 'dynamodb-local'
  readonly unprotected: boolean
  readonly seed: number
  readonly payments: number
  readonly json: boolean
}

/** What the user asked for can't be done: a message, and status 2. */
export class WrongArguments extends Error {
  override readonly name = 'WrongArguments'
}

export const HELP = `A storm on functions/payments: duplicates at the same moment, retries, processes killed and frozen half-way.
On DynamoDB Local also functions/orders (a queue) and functions/settlement (a schedule), which book there.

  npm run demo                            protected by Alonce; ends with "double charges: 0"
  npm run demo -- --unprotected           the same storm on the same code without Alonce
  npm run demo -- --store dynamodb-local  on AWS's DynamoDB Local instead of memory; needs Java 17

  --payments N   how many payments, 1 to 500 (default: 48 on memory, 10 on DynamoDB Local)
  --seed N       repeat the storm that was drawn from this seed
  --json         print nothing but the summary, as JSON
  --help         this

Status: 0 when every payment was charged once, every order booked once and every settlement right; 1 when not; 2 for wrong
arguments.`

const DEFAULT_PAYMENTS = { memory: 48, 'dynamodb-local': 10 }
const MAX_PAYMENTS = 500
const MAX_SEED = 4_294_967_295

/** @returns `undefined` when help was asked for. @throws WrongArguments */
export function parseArguments(argv: readonly string[], drawSeed: () => number): DemoArguments | undefined {
  const values = readOptions(argv)
  if (values.help) return undefined
  const { store = 'memory' } = values
  if (store !== 'memory' && store !== 'dynamodb-local') {
    throw new WrongArguments(`--store must be memory or dynamodb-local, not "${store}".`)
  }
  return {
    store,
    unprotected: values.unprotected ?? false,
    seed: values.seed === undefined ? drawSeed() : wholeNumber('seed', values.seed, { low: 0, high: MAX_SEED }),
    payments:
      values.payments === undefined
        ? DEFAULT_PAYMENTS[store]
        : wholeNumber('payments', values.payments, { low: 1, high: MAX_PAYMENTS }),
    json: values.json ?? false,
  }
}

function readOptions(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        store: { type: 'string' },
        unprotected: { type: 'boolean' },
        seed: { type: 'string' },
        payments: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    })
    return values
  } catch (cause) {
    throw new WrongArguments(cause instanceof Error ? cause.message : 'unreadable', { cause })
  }
}

function wholeNumber(name: string, text: string, { low, high }: { readonly low: number; readonly high: number }): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= low && number <= high) return number
  throw new WrongArguments(`--${name} must be a whole number from ${low} to ${high}, not "${text}".`)
}
