// What Grafana's schema says of a dashboard, with enums as the text and numbers that JSON has.
import type { AnnotationQuery, Dashboard, DataQuery, Panel, RowPanel } from '@grafana/schema';
import type { Options as BarGauge } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as StatesField, Options as States } from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type { Options as Table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { FieldConfig as LinesField, Options as Lines } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Json<T> = 0 extends 1 & T ? T
  : T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends Array<infer Item> ? Json<Item>[]
  : T extends object ? { [Key in keyof T]: Json<T[Key]> }
  : T;

// The Prometheus plugin's query; its types are not in the schema package.
interface PromQuery extends DataQuery {
  expr: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  interval?: string;
  legendFormat?: string;
  range?: boolean;
}
// How the Prometheus plugin words annotations.
type Marks = AnnotationQuery<PromQuery> & { tagKeys?: string; titleFormat?: string };

type Typed<Kind extends string, Options, Field> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Kind;
  targets: PromQuery[];
  options?: Partial<Options>;
  fieldConfig?: Omit<NonNullable<Panel['fieldConfig']>, 'defaults'> & {
    defaults: Omit<NonNullable<Panel['fieldConfig']>['defaults'], 'custom'> & { custom?: Partial<Field> };
  };
};
type AnyPanel =
  | Typed<'timeseries', Lines, LinesField>
  | Typed<'stat', Stat, never>
  | Typed<'state-timeline', States, StatesField>
  | Typed<'bargauge', BarGauge, never>
  | Typed<'table', Table, never>;

export type Board = Json<
  Omit<Dashboard, 'panels' | 'annotations'> & { panels: Array<AnyPanel | RowPanel>; annotations: { list: Marks[] } }
>;
