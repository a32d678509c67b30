// The wall of lanes. Rows hold codes and figures; every word comes from the table of texts.
// Nothing moves by itself: a row is drawn again when it changed, ages twice a second.
export default {
  template: `
  <section class="tl-wall" :data-stale="stale ? 1 : 0" :data-seq="seq">
    <div v-if="facts.simulation" class="tl-simulation">{{ t('ui.simulation') }}</div>
    <header class="tl-head">
      <h1>{{ t('ui.title') }}</h1>
      <span class="tl-plaza">{{ t('ui.plaza', plaza) }}</span>
      <span class="tl-count" v-if="lanes.length">{{ t('ui.lanes', lanes.length - silent) }}</span>
      <span class="tl-age" v-if="seq >= 0">{{ t('ui.updated', age.toFixed(1)) }}</span>
      <a v-if="money" class="tl-link" :href="money">{{ t('money.title') }}</a>
      <a class="tl-language" :href="other">{{ t('ui.other_language') }}</a>
    </header>
    <div class="tl-banner tl-bad" role="alert" v-if="stale && seq >= 0">
      {{ t('ui.stale', Math.round(age)) }}</div>
    <div class="tl-banner tl-bad" role="alert" v-if="!stale && facts.broker === false">
      {{ t('ui.broker_lost') }}</div>
    <div class="tl-banner tl-warn" role="alert" v-if="!stale && facts.plaza === false">
      {{ t('ui.plaza_lost') }}</div>
    <p class="tl-empty" v-if="seq < 0">{{ t('ui.loading') }}</p>
    <p class="tl-empty" v-else-if="!lanes.length">{{ t('ui.empty') }}</p>
    <ol class="tl-lanes">
      <li v-for="l in lanes" :key="l.id" class="tl-lane" :data-lane="l.id"
          :data-mode="l.mode" :data-silent="l.silent ? 1 : 0">
        <b class="tl-id">L{{ l.id }}</b>
        <span class="tl-mode" :data-mode="l.mode">{{ t('mode.' + l.mode) }}</span>
        <span class="tl-zones">
          <span v-for="(z, i) in l.zones" class="tl-zone" :data-zone="z" role="img"
                :aria-label="t('zone.' + i) + ' ' + t('zone.' + z)"
                :title="t('zone.' + i) + ' ' + t('zone.' + z)">{{ z === 'unknown' ? '?' : '' }}</span>
        </span>
        <span class="tl-boom" :data-boom="l.boom">
          <svg viewBox="0 0 40 32" aria-hidden="true">
            <rect x="3" y="14" width="8" height="16" rx="1" class="tl-post"/>
            <line v-if="l.boom === 'down'" x1="7" y1="18" x2="38" y2="18" class="tl-line"/>
            <line v-else-if="l.boom === 'up'" x1="7" y1="18" x2="11" y2="1" class="tl-line"/>
            <line v-else-if="l.boom !== 'unknown'" x1="7" y1="18" x2="30" y2="5" class="tl-line"/>
            <g v-else><line x1="7" y1="18" x2="38" y2="18" class="tl-line tl-dashed"/>
              <text x="20" y="14" class="tl-question">?</text></g>
            <path v-if="l.boom === 'raising'" d="M32 12 l4 -8 l4 8 z" class="tl-tip"/>
            <path v-if="l.boom === 'lowering'" d="M32 20 l4 8 l4 -8 z" class="tl-tip"/>
          </svg>
          <span>{{ t('boom.' + l.boom) }}</span>
        </span>
        <span class="tl-car">
          <template v-if="l.car">
            <b class="tl-plate">{{ l.car.plate || t('ui.no_plate') }}</b>
            <span v-if="l.car.class">{{ t('ui.class', l.car.class) }}</span>
            <span v-if="t('kind.' + l.car.kind)">{{ t('kind.' + l.car.kind) }}</span>
            <span v-if="l.car.toll_fen !== null" class="tl-toll">{{ yuan(l.car.toll_fen) }}</span>
          </template>
          <span v-else class="tl-quiet">{{ t('ui.no_car') }}</span>
        </span>
        <span class="tl-step">
          <template v-if="l.car">
            <b class="tl-phase">{{ t('phase.' + l.car.phase) }}</b>
            <span v-if="l.car.order" class="tl-order" :data-order="l.car.order">
              {{ t('order.' + l.car.order) }}</span>
            <span v-if="l.car.reason && t('reason.' + l.car.reason)">
              {{ t('reason.' + l.car.reason) }}</span>
            <span class="tl-since">{{ t('ui.seconds', l.since) }}</span>
          </template>
        </span>
        <span class="tl-facts">
          <span class="tl-devices" :data-ok="l.devices_ok === l.devices_all ? 1 : 0">
            {{ t('ui.devices') }} {{ l.devices_ok }}/{{ l.devices_all }}</span>
          <span v-if="l.unsent" class="tl-unsent">{{ t('ui.unsent', l.unsent) }}</span>
          <span class="tl-passages">{{ t('ui.passages', l.passages) }}</span>
        </span>
        <span class="tl-marks">
          <b v-if="l.silent" class="tl-silent">{{ t('ui.silent', l.quiet) }}</b>
          <span v-for="a in l.alarms" class="tl-alarm"><i aria-hidden="true">2</i>{{ t('alarm.' + a) }}</span>
          <span v-for="d in l.devices_bad" class="tl-degraded" data-kind="device">
            <i aria-hidden="true">3</i>{{ t('device.' + d) }}</span>
          <span v-for="d in l.degraded" class="tl-degraded" data-kind="mode">
            <i aria-hidden="true">3</i>{{ t('degraded.' + d) }}</span>
        </span>
      </li>
    </ol>
  </section>`,
  props: { texts: Object, plaza: String, other: String, money: String, limit: Number },
  data: () => ({
    rows: {}, lanes: [], facts: {}, seq: -1, server: 0,
    at: performance.now(), age: 0, stale: false, silent: 0,
  }),
  mounted() { this.timer = setInterval(() => this.count(), 500); },
  unmounted() { clearInterval(this.timer); },
  methods: {
    t(key, value) { return (this.texts[key] ?? key.split('.').pop()).replace('{}', value); },
    yuan(fen) {
      const whole = Math.floor(fen / 100).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');
      return `¥${whole}.${String(fen % 100).padStart(2, '0')}`;
    },
    snapshot(seq, now, facts, rows) {
      this.rows = {};
      for (const row of rows) this.rows[row.id] = row;
      this.take(seq, now, facts);
    },
    delta(seq, now, facts, rows) {
      if (seq <= this.seq) return;  // The snapshot already held it.
      if (seq !== this.seq + 1) { this.$emit('resync'); return; }
      for (const row of rows) this.rows[row.id] = row;
      this.take(seq, now, facts);
    },
    take(seq, now, facts) {
      this.seq = seq; this.server = now; this.facts = facts; this.at = performance.now();
      this.count();
    },
    count() {
      this.age = (performance.now() - this.at) / 1000;
      this.stale = this.age > this.limit;
      const now = this.server + this.age * 1000;
      this.silent = 0;
      this.lanes = Object.keys(this.rows).sort().map((id) => {
        const row = this.rows[id];
        const quiet = (now - row.heard_ms) / 1000;
        const silent = quiet > this.limit;
        if (silent) this.silent += 1;
        const since = row.car ? Math.round(row.car.since_ms / 1000 + (silent ? 0 : quiet)) : 0;
        return { ...row, quiet: Math.round(quiet), silent, since };
      });
    },
  },
};
