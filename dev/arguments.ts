import { parseArgs } from 'node:util'

export interface DevArguments {
  /** `undefined`: 3000, or the next free one. 0: any free one. */
  readonly port: number | undefined
  /** Between two runs of the settlement; `undefined`: it runs when it is asked to only. */
  readonly everyMs: number | undefined
  readonly json: boolean
}

/** What the user asked for can't be done: a message, and status 2. */
export class WrongArguments extends Error {
  override readonly name = 'WrongArguments'
}

export const HELP = `functions/ on this machine, under AWS's own runtime client: payments behind HTTP, orders behind a queue, settlement on a schedule.

  npm run dev                    with DynamoDB Local; without Java 17, payments alone, over a store in memory
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 npm run dev
                                 with the tables there (LocalStack, say); they are made if they are missing

  --port N       where to listen; 0: anywhere free (default: 3000, or the next free one)
  --every N      seconds between two runs of the settlement, 1 to 86400 (default: 60)
  --no-schedule  run the settlement when it is asked to only
  --json         one JSON object a line instead of text
  --help         this

AWS_ENDPOINT_URL_DYNAMODB, AWS_REGION, credentials, ALONCE_TABLE, ORDERS_TABLE and PAYMENT_PROVIDER_URL are read from the environment.
Ctrl-C stops everything. Status: 0 when it was stopped; 1 when it could not start; 2 for wrong arguments.`

const EVERY_S = { default: 60, low: 1, high: 86_400 }
const MAX_PORT = 65_535

/** @returns `undefined` when help was asked for. @throws WrongArguments */
export function parseArguments(argv: readonly string[]): DevArguments | undefined {
  const { port, every, json = false, ...values } = readOptions(argv)
  if (values.help) return undefined
  const seconds = every === undefined ? EVERY_S.default : wholeNumber('every', every, EVERY_S)
  return {
    port: port === undefined ? undefined : wholeNumber('port', port, { low: 0, high: MAX_PORT }),
    everyMs: values['no-schedule'] ? undefined : seconds * 1000,
    json,
  }
}

function readOptions(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string' },
        every: { type: 'string' },
        'no-schedule': { type: 'boolean' },
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
