import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readJournal } from '../../demo/journal.ts'
import { type LedgerOptions, startLedger } from '../../demo/ledger.ts'
import { LostInTransit, type Transit } from '../../demo/transit.ts'
import { httpProvider } from '../../functions/payments/http-provider.ts'
import type { Payment } from '../../functions/payments/payment.ts'

const payment: Payment = { paymentId: 'p1', accountId: 'a1', amountMinor: 1250, currency: 'EUR' }

async function ledger(options: Partial<LedgerOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'alonce-ledger-'))
  const journal = join(directory, 'journal.jsonl')
  writeFileSync(journal, '')
  const { url, close } = await startLedger({ journal, ...options })
  onTestFinished(async () => {
    await close()
    rmSync(directory, { recursive: true })
  })
  return { url, provider: httpProvider({ url, timeoutMs: 2000 }), charges: () => readJournal(journal) }
}

test('The same key and the same parameters: one charge, and its answer again', async () => {
  const { provider, charges } = await ledger()
  const first = await provider.charge(payment, 'k1')
  expect(first).toEqual({ outcome: 'charged', chargeId: 'ch_1' })
  expect(await provider.charge(payment, 'k1')).toEqual(first)
  expect(charges()).toMatchObject([{ chargeId: 'ch_1', ...payment }])
})

test('Requests under one key at the same moment make one charge', async () => {
  const { provider, charges } = await ledger()
  const answers = await Promise.all(Array.from({ length: 10 }, () => provider.charge(payment, 'k1')))
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  expect(charges()).toHaveLength(1)
})

test('The same key and other parameters: refused, loudly', async () => {
  const { provider, charges } = await ledger()
  await provider.charge(payment, 'k1')
  await expect(provider.charge({ ...payment, amountMinor: 1 }, 'k1')).rejects.toMatchObject({ name: 'ProviderMisused' })
  expect(charges()).toHaveLength(1)
})

test('Without a key, every request is a charge', async () => {
  const { provider, charges } = await ledger()
  await provider.charge(payment, undefined)
  await provider.charge(payment, undefined)
  expect(charges().map(({ chargeId }) => chargeId)).toEqual(['ch_1', 'ch_2'])
})

test('A declined card is refused, and nothing is charged', async () => {
  const { provider, charges } = await ledger({ declined: new Set(['a1']) })
  expect(await provider.charge(payment, 'k1')).toEqual({ outcome: 'refused', reason: 'card declined' })
  expect(charges()).toEqual([])
})

test('An answer that is lost after the charge is of unknown outcome; the same key finds the charge', async () => {
  let losses = 1
  const transit: Transit = async (_parcel, apply) => {
    const answer = await apply()
    if (losses-- > 0) throw new LostInTransit('on its way back')
    return answer
  }
  const { provider, charges } = await ledger({ transit })
  await expect(provider.charge(payment, 'k1')).rejects.toMatchObject({ name: 'OutcomeUnknown' })
  expect(charges()).toHaveLength(1)
  expect(await provider.charge(payment, 'k1')).toEqual({ outcome: 'charged', chargeId: 'ch_1' })
  expect(charges()).toHaveLength(1)
})

test('A provider that does not answer in time is of unknown outcome', async () => {
  const { url } = await ledger({ transit: () => new Promise(() => undefined) })
  await expect(httpProvider({ url, timeoutMs: 20 }).charge(payment, 'k1')).rejects.toMatchObject({ name: 'OutcomeUnknown' })
})

test.each(['{}', 'not JSON', '{"paymentId":"p1","accountId":"a1","amountMinor":"7","currency":"EUR"}'])(
  'A request of %s is answered 400',
  async (body) => {
    const { url, charges } = await ledger()
    expect((await fetch(`${url}/charges`, { method: 'POST', body })).status).toBe(400)
    expect(charges()).toEqual([])
  },
)
