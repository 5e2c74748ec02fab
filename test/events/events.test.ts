import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type AlonceEvent, emit } from '../../lib/events/events.ts'

const event = (name: AlonceEvent['event']): AlonceEvent => ({ event: name, kind: 'lock', store: 'memory', key: 'lock/a' })

describe('events', () => {
  afterEach(() => vi.restoreAllMocks())

  test('are published on a diagnostics channel of their name', () => {
    const seen: unknown[] = []
    const listener = (message: unknown): number => seen.push(message)
    subscribe('alonce:acquired', listener)
    emit(event('acquired'), undefined)
    unsubscribe('alonce:acquired', listener)
    emit(event('acquired'), undefined)
    expect(seen).toEqual([event('acquired')])
  })

  test('without a listener, those that cost money print one line of JSON', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    for (const name of ['lost', 'completion-failed', 'run-unprotected', 'acquired', 'replayed'] as const)
      emit(event(name), undefined)
    const lines = warn.mock.calls.map(([line]) => JSON.parse(String(line)) as { alonce: string })
    expect(lines.map((line) => line.alonce)).toEqual(['lost', 'completion-failed', 'run-unprotected'])
  })

  test('with a listener nothing is printed', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const seen: AlonceEvent[] = []
    emit(event('lost'), (e) => seen.push(e))
    expect(seen).toHaveLength(1)
    expect(warn).not.toHaveBeenCalled()
  })

  test('a listener that throws does not disturb the code that is protected', () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    emit(event('acquired'), () => {
      throw new Error('listener broke')
    })
    expect(String(warning.mock.calls[0]?.[0])).toContain('listener broke')
  })
})
