import { describe, expect, test } from 'vitest'
import { boundedWait, findContext, leaseFor, remainingMs } from '../../lib/runtime/invocation.ts'

const context = (ms: unknown): { getRemainingTimeInMillis(): number } => ({ getRemainingTimeInMillis: () => ms as number })

describe('the invocation', () => {
  test('its context is recognised among the arguments, wherever it stands', () => {
    const lambda = context(1000)
    expect(findContext([{ id: 1 }, lambda])).toBe(lambda)
    expect(findContext([{ getRemainingTimeInMillis: 5 }, null, 'x'])).toBeUndefined()
  })

  test('the lease outlives the invocation by the time that Lambda takes to kill it', () => {
    expect(leaseFor(undefined, 5000, 1)).toEqual({ leaseMs: 6000, renewed: false })
  })

  test('I35 with no context, or nothing sensible in it, the lease is 30 s and renewed', () => {
    for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5']) expect(remainingMs(context(ms))).toBeUndefined()
    expect(remainingMs(undefined)).toBeUndefined()
    expect(leaseFor(undefined, undefined, 1)).toEqual({ leaseMs: 30_000, renewed: true })
    expect(leaseFor(undefined, 3_600_000, 1)).toEqual({ leaseMs: 30_000, renewed: true })
  })

  test('a lease that was asked for is taken as it is, and renewed', () => {
    expect(leaseFor(4000, 60_000, 1)).toEqual({ leaseMs: 4000, renewed: true })
  })

  test('the lease is never shorter than the store can keep', () => {
    expect(leaseFor(undefined, 500, 3000)).toEqual({ leaseMs: 3000, renewed: false })
  })

  test('a wait leaves time to answer: 250 ms or a fifth of what remains', () => {
    expect(boundedWait(5000, undefined)).toBe(5000)
    expect(boundedWait(5000, 10_000)).toBe(5000)
    expect(boundedWait(5000, 3000)).toBe(2400)
    expect(boundedWait(5000, 1000)).toBe(750)
    expect(boundedWait(5000, 100)).toBe(0)
  })
})
