import { expect, test } from 'vitest'
import { JAVA_MISSING, javaVersion } from '../../scripts/dynamodb-local.ts'
import { demo } from './run-demo.ts'

test('The payments function on DynamoDB Local: no double charges, and status 0', { timeout: 120_000 }, async ({ skip }) => {
  skip(javaVersion() === undefined, JAVA_MISSING)
  const { status, stdout, lastLine } = await demo('--store', 'dynamodb-local', '--payments', '3', '--seed', '20260115')
  expect(lastLine).toBe('double charges: 0')
  expect(status).toBe(0)
  expect(stdout).toContain('took-over')
})
