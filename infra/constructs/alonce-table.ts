import {
  AttributeType,
  Billing,
  type ITableV2,
  MultiRegionConsistency,
  type TablePropsV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Annotations, RemovalPolicy, Stack, Token } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { configInvalid } from '../../lib/store/errors.ts'
import { AlonceTableAccess, type Unavailable } from './alonce-table-access.ts'
import { tableWithKey } from './encryption.ts'
import { checkRegions, type Regions } from './regions.ts'
import { Sweeper } from './sweeper.ts'

export interface AlonceTableProps {
  /** Default: CloudFormation's choice. */
  readonly tableName?: string | undefined
  /** A key of yours. Default: one that AWS owns, which costs nothing. */
  readonly encryptionKey?: IKey | undefined
  /** Most write units a second, as a bound on the bill. Beyond it requests are throttled. Default: none. */
  readonly maxWriteRequestUnits?: number | undefined
  /** Most read units a second. Default: none. */
  readonly maxReadRequestUnits?: number | undefined
  /** Default: true. A table that is restored has old fences: raise them before it is used (see docs/GUARANTEES.md). */
  readonly pointInTimeRecovery?: boolean | undefined
  /** Default: true. Without its table, nobody knows what has run. */
  readonly deletionProtection?: boolean | undefined
  /** Default: `RETAIN`. */
  readonly removalPolicy?: RemovalPolicy | undefined
  /** Which keys are hot, for a price for each event. Default: false. */
  readonly contributorInsights?: boolean | undefined
  /** Default: the stack's region alone. */
  readonly regions?: Regions | undefined
}

export interface AlonceTableAttributes {
  readonly tableArn: string
  /** The table's customer-managed key, for the grants. */
  readonly encryptionKey?: IKey | undefined
  /** For a strongly consistent global table: it has no transactions and no TTL. Default: false. */
  readonly stronglyConsistent?: boolean | undefined
}

/** Missing where several regions agree on every write. */
const STRONG_LACKS: readonly Unavailable[] = ['transactions', 'time-to-live']

/**
 * The table that `dynamodbStore` needs.
 *
 * @example
 * const table = new AlonceTable(this, 'Alonce')
 * table.protect(handler) // ALONCE_TABLE, and the permissions
 *
 * @throws AlonceError `CONFIG_INVALID`
 */
export class AlonceTable extends AlonceTableAccess {
  readonly table: ITableV2
  readonly encryptionKey: IKey | undefined
  readonly unavailable: readonly Unavailable[]
  /** Deletes what has expired, where DynamoDB does not: in a strongly consistent global table. */
  readonly sweeper: Sweeper | undefined

  constructor(scope: Construct, id: string, props: AlonceTableProps = {}) {
    super(scope, id)
    const { regions } = props
    const home = Stack.of(this).region
    if (regions) checkRegions(regions, Token.isUnresolved(home) ? undefined : home)
    const strong = regions?.consistency === 'strong'
    this.unavailable = strong ? STRONG_LACKS : []
    const options = {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      ...(!strong && { timeToLiveAttribute: 'ttl' }),
      ...tableOptions(props),
      ...(regions && replication(regions)),
    }
    this.encryptionKey = props.encryptionKey
    // CDK's classes do not fit CDK's interfaces under `exactOptionalPropertyTypes`: its users get the interface.
    this.table = tableWithKey(this, options, { key: props.encryptionKey, replicaKeyArns: keysOf(props) }) as ITableV2
    this.sweeper = strong ? new Sweeper(this, 'Sweeper', { table: this }) : undefined
    this.#annotate(regions)
  }

  /** A table of another stack's, in this account and region. */
  static fromTableName(scope: Construct, id: string, tableName: string): AlonceTableAccess {
    return AlonceTable.fromTableArn(scope, id, arnOf(scope, tableName))
  }

  /** @throws AlonceError `CONFIG_INVALID` */
  static fromTableArn(scope: Construct, id: string, tableArn: string): AlonceTableAccess {
    return AlonceTable.fromTableAttributes(scope, id, { tableArn })
  }

  /** @throws AlonceError `CONFIG_INVALID` */
  static fromTableAttributes(scope: Construct, id: string, attributes: AlonceTableAttributes): AlonceTableAccess {
    return new ImportedTable(scope, id, attributes)
  }

  #annotate(regions: Regions | undefined): void {
    if (regions?.consistency === 'strong') {
      const lacks =
        'This table has no transactions: give the functions dynamodbStore({ tableName, transactions: false }), and do without operation.transact() and lock.guard(). It has no TTL: a sweeper function deletes what has expired.'
      Annotations.of(this).addInfo(lacks)
    } else if (regions) {
      const breaks = `${regions.acknowledgeBroken.join(', ')} hold within one region only: never write in two at once.`
      Annotations.of(this).addWarningV2('alonce:eventual-regions', breaks)
    }
  }
}

class ImportedTable extends AlonceTableAccess {
  readonly table: ITableV2
  readonly encryptionKey: IKey | undefined
  readonly unavailable: readonly Unavailable[]

  constructor(scope: Construct, id: string, { tableArn, encryptionKey, stronglyConsistent }: AlonceTableAttributes) {
    super(scope, id)
    if (!Token.isUnresolved(tableArn) && !/^arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table\/[\w.-]{3,255}$/.test(tableArn)) {
      throw configInvalid('tableArn', "must be a table's: arn:aws:dynamodb:<region>:<account>:table/<name>.")
    }
    this.table = TableV2.fromTableAttributes(this, 'Table', { tableArn, ...(encryptionKey && { encryptionKey }) })
    this.encryptionKey = encryptionKey
    this.unavailable = stronglyConsistent ? STRONG_LACKS : []
  }
}

const arnOf = (scope: Construct, tableName: string): string =>
  Stack.of(scope).formatArn({ service: 'dynamodb', resource: 'table', resourceName: tableName })

function tableOptions(props: AlonceTableProps): Partial<TablePropsV2> {
  const { tableName, maxReadRequestUnits, maxWriteRequestUnits } = props
  for (const [option, units] of Object.entries({ maxReadRequestUnits, maxWriteRequestUnits })) {
    if (units !== undefined && !(Number.isInteger(units) && units >= 1))
      throw configInvalid(option, 'must be a whole number of 1 or more.')
  }
  return {
    ...(tableName !== undefined && { tableName }),
    billing: Billing.onDemand({
      ...(maxReadRequestUnits !== undefined && { maxReadRequestUnits }),
      ...(maxWriteRequestUnits !== undefined && { maxWriteRequestUnits }),
    }),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: props.pointInTimeRecovery ?? true },
    deletionProtection: props.deletionProtection ?? true,
    removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
    contributorInsightsSpecification: { enabled: props.contributorInsights ?? false },
  }
}

function keysOf({ encryptionKey, regions }: AlonceTableProps): { readonly [region: string]: string } | undefined {
  if (!regions || !encryptionKey) return undefined
  const keys = regions.replicaKeyArns ?? {}
  const missing = regions.replicas.filter((region) => keys[region] === undefined)
  if (missing.length === 0) return keys
  throw configInvalid(
    'regions',
    `needs in "replicaKeyArns" a key for ${missing.join(', ')}: a key of yours works in its own region only.`,
  )
}

function replication(regions: Regions): Partial<TablePropsV2> {
  const replicas = regions.replicas.map((region) => ({ region }))
  if (regions.consistency === 'eventual') return { replicas, multiRegionConsistency: MultiRegionConsistency.EVENTUAL }
  const { witness } = regions
  return {
    replicas,
    multiRegionConsistency: MultiRegionConsistency.STRONG,
    ...(witness !== undefined && { witnessRegion: witness }),
  }
}
