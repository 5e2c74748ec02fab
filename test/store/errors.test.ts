import { describe, expect, test } from 'vitest'
import { AlonceError, InvariantError, invariant, isAlonceError } from '../../lib/store/errors.ts'

describe('errors', () => {
  test('carry what an HTTP framework needs: status, whether to show the message, when to come back', () => {
    const held = new AlonceError('LOCK_HELD', 'held', { retryAfterMs: 1500 })
    expect(held).toMatchObject({ statusCode: 409, expose: true, headers: { 'Retry-After': '2' }, retryAfterMs: 1500 })
    expect(new AlonceError('IN_PROGRESS', 'busy', { retryAfterMs: 0 }).headers).toEqual({ 'Retry-After': '1' })
    expect(new AlonceError('FINGERPRINT_MISMATCH', 'other')).toMatchObject({ statusCode: 422, expose: true, headers: {} })
    expect(new AlonceError('STORE_DENIED', 'no')).toMatchObject({ statusCode: 500, expose: false })
  })

  test('are recognised by name and code, so that two copies of this library understand each other', () => {
    const foreign = Object.assign(new Error('held'), { name: 'AlonceError', code: 'LOCK_HELD' })
    expect(isAlonceError(foreign, 'LOCK_HELD')).toBe(true)
    expect(isAlonceError(foreign, 'LOCK_LOST')).toBe(false)
    expect(isAlonceError(new Error('x'))).toBe(false)
    expect(isAlonceError({ name: 'AlonceError', code: 'LOCK_HELD' })).toBe(false)
  })

  test('keep their cause', () => {
    const cause = new Error('socket hang up')
    expect(new AlonceError('STORE_UNAVAILABLE', 'gone', { cause }).cause).toBe(cause)
    expect('cause' in new AlonceError('STORE_UNAVAILABLE', 'gone')).toBe(false)
  })

  test('a broken invariant stops the program with the numbers in the message', () => {
    expect(() => invariant(true, () => 'never read')).not.toThrow()
    expect(() => invariant(false, () => 'fence 3 after 4')).toThrow(InvariantError)
    expect(() => invariant(false, () => 'fence 3 after 4')).toThrow('fence 3 after 4')
  })
})
