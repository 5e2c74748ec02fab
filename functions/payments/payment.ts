import type { APIGatewayProxyEventV2 } from 'aws-lambda'

/** What a client asks for. `paymentId` is the client's own: it sends the same one again when it has had no answer. */
export interface Payment {
  readonly paymentId: string
  readonly accountId: string
  /** In the currency's smallest unit: 1250 is 12.50 EUR. */
  readonly amountMinor: number
  readonly currency: string
}

export interface Problem {
  readonly problem: string
}

const ID = /^[A-Za-z0-9_-]{1,64}$/
const CURRENCY = /^[A-Z]{3}$/
const MAX_AMOUNT_MINOR = 100_000_000

export const isProblem = (parsed: Payment | Problem): parsed is Problem => 'problem' in parsed

/** A value, not an exception: a wrong request is an expected outcome. */
export function parsePayment(event: APIGatewayProxyEventV2): Payment | Problem {
  const body = parseBody(event)
  if (!body) return { problem: 'The body must be a JSON object.' }
  const { paymentId, accountId, amountMinor, currency } = body
  if (!matches(ID, paymentId)) return { problem: 'paymentId must be 1 to 64 letters, digits, "-" or "_".' }
  if (!matches(ID, accountId)) return { problem: 'accountId must be 1 to 64 letters, digits, "-" or "_".' }
  if (!isAmount(amountMinor)) return { problem: `amountMinor must be a whole number from 1 to ${MAX_AMOUNT_MINOR}.` }
  if (!matches(CURRENCY, currency)) return { problem: 'currency must be three capital letters, such as EUR.' }
  return { paymentId, accountId, amountMinor, currency }
}

interface Unchecked {
  readonly paymentId?: unknown
  readonly accountId?: unknown
  readonly amountMinor?: unknown
  readonly currency?: unknown
}

function parseBody(event: APIGatewayProxyEventV2): Unchecked | undefined {
  const text = event.isBase64Encoded ? Buffer.from(event.body ?? '', 'base64').toString() : (event.body ?? '')
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : undefined
  } catch {
    return undefined
  }
}

const matches = (pattern: RegExp, value: unknown): value is string => typeof value === 'string' && pattern.test(value)

const isAmount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_AMOUNT_MINOR
