import { randomUUID } from 'node:crypto'
import { CreateTableCommand, DeleteTableCommand, ScanCommand, type TableDescription } from '@aws-sdk/client-dynamodb'
import { describe, expect, test } from 'vitest'
import type { Finding } from '../../lib/cli/backend.ts'
import { nodeFinding } from '../../lib/cli/doctor.ts'
import { clockFinding } from '../../lib/cli/dynamodb/clock-findings.ts'
import { type Described, tableFindings } from '../../lib/cli/dynamodb/table-findings.ts'
import { createTable } from '../../lib/stores/dynamodb/create-table.ts'
import { dynamodbMissing, testTable } from '../support/dynamodb-table.ts'
import { Desk, desk, heldFor, lockRecord, program } from './command-line.ts'
import { gateway } from './gateway.ts'

interface Report {
  readonly findings: readonly Finding[]
  readonly errors: number
  readonly warnings: number
}

async function deskOn(tableName: string): Promise<Desk> {
  return new Desk(await program(), tableName, 'shop')
}

describe.skipIf(dynamodbMissing)('alonce doctor', { timeout: 60_000 }, () => {
  test('tries every permission, changes nothing, and ends with 6 for warnings', async () => {
    const { client } = await testTable()
    const tableName = `doctor-${randomUUID()}`
    await createTable({ tableName, client })
    const at = await deskOn(tableName)
    const report = await at.json<Report>('doctor')
    const found = Object.fromEntries(report.findings.map(({ check, severity }) => [check, severity]))
    expect(found).toEqual({
      node: 'ok',
      'table.schema': 'ok',
      'table.ttl': 'ok',
      'table.billing': 'ok',
      // DynamoDB Local does not know of it.
      'table.recovery': 'note',
      'table.protection': 'warning',
      'table.replicas': 'ok',
      ...Object.fromEntries(
        ['GetItem', 'PutItem', 'UpdateItem', 'Query', 'ConditionCheckItem', 'Scan'].map((action) => [
          `permission.${action}`,
          'ok',
        ]),
      ),
      clock: 'ok',
      'sdk.retries': 'ok',
    })
    expect(report).toMatchObject({ errors: 0, warnings: 1 })
    expect((await at.run('doctor')).status).toBe(6)
    expect((await client.send(new ScanCommand({ TableName: tableName }))).Count).toBe(0)
    await client.send(new DeleteTableCommand({ TableName: tableName }))
  })

  test('finds a table that is not there, or has other keys: 1, and what to do', async () => {
    const { client } = await testTable()
    const tableName = `other-${randomUUID()}`
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      }),
    )
    const other = await (await deskOn(tableName)).run('doctor')
    expect(other).toMatchObject({ status: 1, out: expect.stringContaining('id (partition key, S)') })
    expect(other.out).toContain('Make a table with the partition key "pk"')
    const absent = await (await deskOn('no-such-table')).run('doctor')
    expect(absent).toMatchObject({ status: 1, out: expect.stringContaining('-> For development: alonce table create') })
  })

  test('tells each permission that is missing, and what needs it', async () => {
    const { tableName } = await testTable()
    const denied = ['UpdateItem', 'Scan', 'TransactWriteItems', 'DescribeTimeToLive', 'DescribeContinuousBackups']
    const { endpoint, close } = await gateway({ denied })
    const { status, out } = await (await deskOn(tableName)).run('doctor', '--endpoint', endpoint, '--json')
    close()
    const { findings } = JSON.parse(out) as Report
    const about = (check: string) => findings.find((finding) => finding.check === check)
    expect(status).toBe(1)
    expect(about('permission.UpdateItem')).toEqual({
      check: 'permission.UpdateItem',
      severity: 'error',
      found: 'dynamodb:UpdateItem is denied to whoever runs this',
      remedy: 'Grant dynamodb:UpdateItem on the table: every lock and operation needs it.',
    })
    expect(about('permission.GetItem')?.severity).toBe('ok')
    const notes = ['permission.Scan', 'permission.ConditionCheckItem', 'table.ttl', 'table.recovery']
    expect(notes.map((check) => about(check)?.severity)).toEqual(['note', 'note', 'note', 'note'])
  })

  test.each([
    [['ls', '--all'], ['Scan']],
    [['get', 'lock/job'], ['GetItem']],
    [
      ['break', 'job', '--reason', 'x', '--yes'],
      ['GetItem', 'PutItem'],
    ],
    [['run', 'job', '--', 'true'], ['UpdateItem']],
  ])('%j asks for no more than the page on permissions says', async (args, expected) => {
    const at = await desk()
    await at.plant('lock/job', args[0] === 'run' ? lockRecord() : heldFor(60_000))
    const { endpoint, actions, close } = await gateway({})
    expect((await at.run('--endpoint', endpoint, ...args)).status).toBe(0)
    close()
    expect([...actions].sort()).toEqual(expected)
  })

  test('finds out that the server’s time does not come through', async () => {
    const { tableName } = await testTable()
    const { endpoint, close } = await gateway({ stripDate: true })
    const { findings } = await (await deskOn(tableName)).json<Report>('doctor', '--endpoint', endpoint)
    close()
    expect(findings.find(({ check }) => check === 'clock')).toMatchObject({
      severity: 'warning',
      found: expect.stringContaining('no Date'),
    })
  })

  test('table create makes what doctor is content with, and leaves a table that is there as it is', async () => {
    const at = await deskOn(`created-${randomUUID()}`)
    const [first, second] = [await at.json<object>('table', 'create'), await at.json<object>('table', 'create')]
    expect([first, second]).toEqual([expect.objectContaining({ created: true }), expect.objectContaining({ created: false })])
    const { findings } = await at.json<Report>('doctor')
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
  })
})

describe('what doctor makes of a table', () => {
  const table: TableDescription = {
    TableName: 'records',
    BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
    DeletionProtectionEnabled: true,
    AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
  }
  const described = (parts: Partial<Described> = {}, changes: Partial<TableDescription> = {}): Described => ({
    table: { ...table, ...changes },
    ttl: { TimeToLiveStatus: 'ENABLED', AttributeName: 'ttl' },
    backups: { ContinuousBackupsStatus: 'ENABLED', PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: 'ENABLED' } },
    ...parts,
  })
  const replica = [{ RegionName: 'eu-west-1' }]
  const severe = (of: Described): object =>
    Object.fromEntries(
      tableFindings(of)
        .filter(({ severity }) => severity !== 'ok')
        .map(({ check, severity }) => [check, severity]),
    )

  test('one as it should be has nothing to say against it', () => {
    expect(severe(described())).toEqual({})
  })

  test.each<[string, Described, object]>([
    ['TTL is off', described({ ttl: { TimeToLiveStatus: 'DISABLED' } }), { 'table.ttl': 'warning' }],
    [
      'TTL goes by another attribute',
      described({ ttl: { TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' } }),
      { 'table.ttl': 'error' },
    ],
    ['nobody may look at the TTL', described({ ttl: 'denied' }), { 'table.ttl': 'note' }],
    [
      'its throughput is provisioned',
      described({}, { BillingModeSummary: { BillingMode: 'PROVISIONED' } }),
      { 'table.billing': 'warning' },
    ],
    [
      'its throughput has a maximum',
      described({}, { OnDemandThroughput: { MaxWriteRequestUnits: 100 } }),
      { 'table.billing': 'note' },
    ],
    [
      'there is no way back in time',
      described({ backups: { ContinuousBackupsStatus: 'ENABLED' } }),
      { 'table.recovery': 'warning' },
    ],
    ['it can be deleted by mistake', described({}, { DeletionProtectionEnabled: false }), { 'table.protection': 'warning' }],
    ['another region writes to it without agreement', described({}, { Replicas: replica }), { 'table.replicas': 'error' }],
    [
      'its sort key is a number',
      described(
        {},
        {
          AttributeDefinitions: [
            { AttributeName: 'pk', AttributeType: 'S' },
            { AttributeName: 'sk', AttributeType: 'N' },
          ],
        },
      ),
      { 'table.schema': 'error' },
    ],
    [
      'its regions agree: no TTL, no transactions',
      described({ ttl: { TimeToLiveStatus: 'DISABLED' } }, { Replicas: replica, MultiRegionConsistency: 'STRONG' }),
      { 'table.ttl': 'note', 'table.replicas': 'note' },
    ],
    [
      'V2 it was restored from a backup',
      described({}, { RestoreSummary: { RestoreDateTime: new Date(0), RestoreInProgress: false } }),
      { 'table.restored': 'warning' },
    ],
  ])('%s', (_what, of, expected) => {
    expect(severe(of)).toEqual(expected)
    expect(tableFindings(of).filter(({ severity, remedy }) => severity !== 'ok' && !remedy)).toEqual([])
  })

  test('a clock is judged by the interval that DynamoDB’s can be in', () => {
    const server = { earliest: 10_000_000, latest: 10_001_100 }
    const judged = (wallMs: number) => clockFinding({ wallMs, server })
    expect(
      [judged(10_000_500), judged(10_031_200), judged(9_990_000), judged(10_400_000)].map(({ severity }) => severity),
    ).toEqual(['ok', 'note', 'note', 'error'])
    expect([judged(10_031_200).found, judged(9_990_000).found].join()).toMatch(/30 s ahead of.*,.*10 s behind/)
    expect(clockFinding({ wallMs: 0, server: undefined })).toMatchObject({
      severity: 'warning',
      found: expect.stringContaining('no Date'),
    })
  })

  test('Node is old enough or not', () => {
    expect(['22.12.0', '24.0.1', '22.11.9', '20.19.0'].map((version) => nodeFinding(version).severity)).toEqual([
      'ok',
      'ok',
      'error',
      'error',
    ])
  })
})
