/** A message of the queue. */
export interface Order {
  readonly orderId: string
  readonly merchantId: string
  /** In the currency's smallest unit. */
  readonly amountMinor: number
  /** The day it counts for: `2026-11-24`. */
  readonly day: string
}

const ID = /^[A-Za-z0-9_-]{1,64}$/
const DAY = /^\d{4}-\d{2}-\d{2}$/
const MAX_AMOUNT_MINOR = 100_000_000

/** @throws TypeError for what is no order: the message is delivered again, and ends in the dead-letter queue */
export function parseOrder(body: string): Order {
  const { orderId, merchantId, amountMinor, day } = JSON.parse(body) as { readonly [name in keyof Order]?: unknown }
  if (!matches(ID, orderId)) throw new TypeError('orderId must be 1 to 64 letters, digits, "-" or "_"')
  if (!matches(ID, merchantId)) throw new TypeError('merchantId must be 1 to 64 letters, digits, "-" or "_"')
  if (!isAmount(amountMinor)) throw new TypeError(`amountMinor must be a whole number from 1 to ${MAX_AMOUNT_MINOR}`)
  if (!matches(DAY, day)) throw new TypeError('day must be written as 2026-11-24')
  return { orderId, merchantId, amountMinor, day }
}

const matches = (pattern: RegExp, value: unknown): value is string => typeof value === 'string' && pattern.test(value)

const isAmount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_AMOUNT_MINOR
