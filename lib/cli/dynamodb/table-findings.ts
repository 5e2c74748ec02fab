import type { ContinuousBackupsDescription, TableDescription, TimeToLiveDescription } from '@aws-sdk/client-dynamodb'
import type { Finding } from '../backend.ts'

/** No permission; or this DynamoDB does not know the request, as an emulator may not. */
export type Unseen = 'denied' | 'unanswered'

/** What was described of a table. */
export interface Described {
  readonly table: TableDescription
  readonly ttl: TimeToLiveDescription | Unseen
  readonly backups: ContinuousBackupsDescription | Unseen
}

export function tableFindings(described: Described): readonly Finding[] {
  return [
    schema(described),
    ttl(described),
    billing(described),
    backups(described),
    protection(described),
    ...replicas(described),
    ...restored(described),
  ]
}

function schema({ table }: Described): Finding {
  const check = 'table.schema'
  const types = new Map(table.AttributeDefinitions?.map(({ AttributeName, AttributeType }) => [AttributeName, AttributeType]))
  const keys = (table.KeySchema ?? []).map(
    ({ AttributeName = '', KeyType }) =>
      `${AttributeName} (${KeyType === 'HASH' ? 'partition' : 'sort'} key, ${types.get(AttributeName)})`,
  )
  const found = keys.join(', ')
  if (found === 'pk (partition key, S), sk (sort key, S)') return { check, severity: 'ok', found }
  return {
    check,
    severity: 'error',
    found,
    remedy: 'Make a table with the partition key "pk" and the sort key "sk", both of type S: keys can\'t be changed.',
  }
}

function ttl({ table, ttl: description }: Described): Finding {
  const check = 'table.ttl'
  if (typeof description === 'string') return unseen(check, 'dynamodb:DescribeTimeToLive', description)
  const { TimeToLiveStatus: status, AttributeName: attribute } = description
  if (attribute === 'ttl' && (status === 'ENABLED' || status === 'ENABLING'))
    return { check, severity: 'ok', found: 'records are deleted by "ttl" when nobody needs them' }
  if (table.MultiRegionConsistency === 'STRONG') {
    return {
      check,
      severity: 'note',
      found: 'a strongly consistent global table has no TTL',
      remedy: 'Run the sweeper that AlonceTable sets up.',
    }
  }
  const remedy = `aws dynamodb update-time-to-live --table-name ${table.TableName} --time-to-live-specification Enabled=true,AttributeName=ttl`
  if (status === 'ENABLED')
    return { check, severity: 'error', found: `TTL goes by the attribute "${attribute}", which is not ours`, remedy }
  return { check, severity: 'warning', found: 'TTL is off: the table grows for ever', remedy }
}

function billing({ table }: Described): Finding {
  const check = 'table.billing'
  const mode = table.BillingModeSummary?.BillingMode
  if (mode === 'PAY_PER_REQUEST') {
    const most = table.OnDemandThroughput?.MaxWriteRequestUnits ?? -1
    if (most <= 0) return { check, severity: 'ok', found: 'on demand' }
    return {
      check,
      severity: 'note',
      found: `on demand, at most ${most} write units a second`,
      remedy: 'Above that, commands are throttled. Make sure that it is more than your peak.',
    }
  }
  const writes = table.ProvisionedThroughput?.WriteCapacityUnits ?? 0
  return {
    check,
    severity: 'warning',
    found: `provisioned, ${writes} write units a second`,
    remedy: 'A throttled renewal can cost a lock. Set BillingMode to PAY_PER_REQUEST, or scale well ahead of the peak.',
  }
}

function backups({ table, backups: description }: Described): Finding {
  const check = 'table.recovery'
  if (typeof description === 'string') return unseen(check, 'dynamodb:DescribeContinuousBackups', description)
  if (description.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus === 'ENABLED') {
    return { check, severity: 'ok', found: 'point-in-time recovery is on' }
  }
  return {
    check,
    severity: 'warning',
    found: 'point-in-time recovery is off: a deleted table takes its results with it, and all of its operations run again',
    remedy: `aws dynamodb update-continuous-backups --table-name ${table.TableName} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`,
  }
}

function protection({ table }: Described): Finding {
  const check = 'table.protection'
  if (table.DeletionProtectionEnabled) return { check, severity: 'ok', found: 'deletion protection is on' }
  return {
    check,
    severity: 'warning',
    found: 'deletion protection is off',
    remedy: `aws dynamodb update-table --table-name ${table.TableName} --deletion-protection-enabled`,
  }
}

function replicas({ table }: Described): readonly Finding[] {
  const check = 'table.replicas'
  const regions = (table.Replicas ?? []).map(({ RegionName }) => RegionName).join(', ')
  if (regions === '') return [{ check, severity: 'ok', found: 'one region' }]
  if (table.MultiRegionConsistency === 'STRONG') {
    return [
      {
        check,
        severity: 'note',
        found: `strongly consistent with ${regions}`,
        remedy: 'transact() and guard() are not available on such a table.',
      },
    ]
  }
  return [
    {
      check,
      severity: 'error',
      found: `eventually consistent with ${regions}: two regions can both win a lock, or both run an operation`,
      remedy: 'Write from one region only, or use a table whose MultiRegionConsistency is STRONG.',
    },
  ]
}

/** A backup holds smaller fences than those that were given out after it (V2). */
function restored({ table }: Described): readonly Finding[] {
  const { RestoreDateTime: at, SourceTableArn: source } = table.RestoreSummary ?? {}
  if (!at) return []
  const found = `restored from ${source?.split('/').pop() ?? 'a backup'} as of ${at.toISOString()}: fences given out later can be given out again`
  return [
    {
      check: 'table.restored',
      severity: 'warning',
      found,
      remedy: 'Before locks are taken here, raise the fences above all that your resources have seen.',
    },
  ]
}

const unseen = (check: string, action: string, why: Unseen): Finding =>
  why === 'denied'
    ? { check, severity: 'note', found: 'not looked at: no permission', remedy: `Grant ${action} to whoever runs doctor.` }
    : { check, severity: 'note', found: `not looked at: this DynamoDB did not answer ${action.replace('dynamodb:', '')}` }
