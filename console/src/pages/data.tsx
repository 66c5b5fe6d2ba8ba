// `/data`: every relation at full width, with size and owner.
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { relationsQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { formatBytes } from '../ui/format.ts'
import { Title } from '../ui/head.tsx'
import { RelationTable } from './relation-table.tsx'

export function DataPage() {
  const query = useQuery(relationsQuery())
  const search = useSearch({ from: '/data' })
  const bytes = query.data?.relations.reduce((sum, one) => sum + (one.bytes ?? 0), 0)
  return (
    <>
      <div className="head" style={{ marginBottom: 12 }}>
        <Title name="Data">Data</Title>
        <span className="sp" />
        <span className="muted s12 num">{bytes === undefined ? '' : `${formatBytes(bytes)} in tables`}</span>
      </div>
      <Answer query={query} rows={16}>
        {(data) => <RelationTable relations={data.relations} search={search} at="/data" wide />}
      </Answer>
    </>
  )
}
