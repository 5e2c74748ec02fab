import { expect, test } from 'vitest'
import { Script } from '../../demo/script.ts'

test('A blow strikes once, at the request that it waits for, before or after that was applied', async () => {
  const script = new Script()
  const happened: string[] = []
  const cue = { delivery: 'd', step: /^put$/, nth: 2 } as const
  script.on({ ...cue, side: 'before' }, async () => void happened.push('before'))
  script.on({ ...cue, side: 'applied' }, async () => void happened.push('applied'))
  const send = (delivery: string, step: string): Promise<unknown> =>
    script.transit({ delivery, step }, async () => happened.push(`${delivery} ${step}`))
  for (const step of ['put', 'get', 'put', 'put']) await send('d', step)
  await send('other', 'put')
  expect(happened).toEqual(['d put', 'd get', 'before', 'd put', 'applied', 'd put', 'other put'])
})

test('What a blow throws before it is applied keeps it from being applied; afterwards, only its answer is lost', async () => {
  const script = new Script()
  let applied = 0
  const cue = { delivery: 'd', step: /put/, nth: 1 } as const
  const lost = async (): Promise<never> => {
    throw new Error('lost')
  }
  script.on({ ...cue, side: 'before' }, lost)
  script.on({ ...cue, nth: 2, side: 'applied' }, lost)
  const send = (): Promise<number> => script.transit({ delivery: 'd', step: 'put' }, async () => ++applied)
  await expect(send()).rejects.toThrow('lost')
  expect(applied).toBe(0)
  await expect(send()).rejects.toThrow('lost')
  expect(applied).toBe(1)
})
