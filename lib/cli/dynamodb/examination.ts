import {
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  type DescribeTableCommandOutput,
  DescribeTimeToLiveCommand,
  type TableDescription,
} from '@aws-sdk/client-dynamodb'
import { type ErrorCode, isAlonceError } from '../../store/errors.ts'
import { TableClock } from '../../stores/dynamodb/table-clock.ts'
import type { Finding } from '../backend.ts'
import { clockFinding, retryFinding } from './clock-findings.ts'
import { type Connection, explained, send } from './connection.ts'
import { permissionFindings } from './probe.ts'
import { tableFindings, type Unseen } from './table-findings.ts'

/** All that can be known from outside. A table that is not there, or credentials that are refused, are one finding and the end. */
export async function examine(connection: Connection): Promise<readonly Finding[]> {
  const { client, tableName, runtime } = connection
  // Without the guard that a takeover keeps: what is asked here is what the clocks say.
  const clock = new TableClock(runtime.clock, 0)
  const describe = send<DescribeTableCommandOutput>({ ...connection, clock }, new DescribeTableCommand({ TableName: tableName }))
  const table = await orDenied(describe, 'table.schema', 'dynamodb:DescribeTable')
  const seen = { wallMs: runtime.clock.wall(), server: clock.basis === 'server' ? clock.now() : undefined }
  if ('check' in table && table.severity === 'error') return [table]
  const about = 'check' in table ? [table] : await describedFindings(connection, table.Table ?? {})
  const permissions = await permissionFindings(connection)
  // Credentials are refused as a whole: the clock was not seen either.
  return [...about, ...permissions, clockFinding(seen), await retryFinding(client)]
}

async function describedFindings({ client, tableName }: Connection, table: TableDescription): Promise<readonly Finding[]> {
  const TableName = tableName
  const [ttl, backups] = await Promise.all([
    orUnseen(explained(tableName, client.send(new DescribeTimeToLiveCommand({ TableName })))),
    orUnseen(explained(tableName, client.send(new DescribeContinuousBackupsCommand({ TableName })))),
  ])
  return tableFindings({
    table,
    ttl: typeof ttl === 'string' ? ttl : (ttl.TimeToLiveDescription ?? {}),
    backups: typeof backups === 'string' ? backups : (backups.ContinuousBackupsDescription ?? UNSAID),
  })
}

const REMEDIES: { readonly [code in ErrorCode]?: string } = {
  STORE_NOT_FOUND: 'For development: alonce table create. In production: deploy the construct AlonceTable.',
  STORE_UNAVAILABLE: 'Check the network, --region and --endpoint.',
}
const UNSAID = { ContinuousBackupsStatus: undefined }

/** A request for which there is no permission, or that this DynamoDB does not know, as an emulator may not. */
const orUnseen = <T>(request: Promise<T>): Promise<T | Unseen> =>
  request.catch((error: unknown) => (isAlonceError(error, 'STORE_DENIED') ? 'denied' : 'unanswered'))

async function orDenied<T extends object>(request: Promise<T>, check: string, action: string): Promise<T | Finding> {
  try {
    return await request
  } catch (error) {
    if (!isAlonceError(error)) throw error
    if (error.code !== 'STORE_DENIED') return { check, severity: 'error', found: error.message, remedy: REMEDIES[error.code] }
    return { check, severity: 'note', found: 'not looked at: no permission', remedy: `Grant ${action} to whoever runs doctor.` }
  }
}
