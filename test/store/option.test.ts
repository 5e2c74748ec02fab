import { describe, expect, test } from 'vitest'
import { callable, flag, oneOf, refuseUnknown, shortText, storeOption, wholeNumber } from '../../lib/store/option.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'

const messageOf = (check: () => unknown): string => {
  try {
    check()
    return 'nothing is wrong'
  } catch (error) {
    return (error as Error).message
  }
}

describe('a wrong option is refused in the same words by every entrance', () => {
  test.each<[string, () => unknown]>([
    ['Option "waitMs" must be a whole number from 0 to 10, not -1.', () => wholeNumber('waitMs', -1, [0, 10])],
    ['Option "waitMs" must be a whole number from 0 to 10, not NaN.', () => wholeNumber('waitMs', Number.NaN, [0, 10])],
    ['Option "waitMs" must be a whole number from 0 to 10, not 5.', () => wholeNumber('waitMs', '5' as never, [0, 10])],
    ['Option "mode" must be "a" or "b", not c.', () => oneOf<string>('mode', 'c', ['a', 'b'])],
    ['Option "fair" must be true or false, not 1.', () => flag('fair', 1 as never)],
    ['Option "label" must be a string of at most 3 characters.', () => shortText('label', 'four', 3)],
    ['Option "onEvent" must be a function.', () => callable('onEvent', {})],
    ['Option "key" must be a function of the event.', () => callable('key', null, 'a function of the event')],
    ['Option "lable" is not an option of withLock. It takes key, label.', () => refuse({ lable: 'x' })],
    ['Option "options" of withLock must be an object.', () => refuse(null as never)],
    ['Option "store" must be a store, such as memoryStore() or dynamodbStore({ … }).', () => storeOption({} as never)],
  ])('%s', (message, check) => expect(messageOf(check)).toBe(message))

  test('none shows more of a wrong text than that it is wrong', () => {
    expect(messageOf(() => shortText('label', 'a secret that is too long', 3))).not.toContain('secret')
  })
})

test('what is right is given back, and so is undefined: its default is the caller’s', () => {
  const store = memoryStore()
  const onEvent = (): void => undefined
  expect([wholeNumber('n', 0, [0, 0]), oneOf('m', 'a', ['a']), shortText('l', '', 0)]).toEqual([0, 'a', ''])
  expect([callable('f', onEvent), storeOption(store)]).toEqual([onEvent, store])
  expect([wholeNumber('n', undefined, [1, 2]), oneOf('m', undefined, []), callable('f', undefined)]).toEqual(
    Array(3).fill(undefined),
  )
  expect([flag('f', undefined), flag('f', true)]).toEqual([false, true])
})

test('an unknown name without a value does no harm: options are often spread from others', () => {
  expect(messageOf(() => refuse({ waitMs: undefined }))).toBe('nothing is wrong')
})

const refuse = (options: object): void => refuseUnknown(options, 'withLock', ['key', 'label'])
