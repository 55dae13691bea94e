{# Imposed spikes come from a file, so that neither their number nor their times are in the source. #}
{# USES_VARIABLES { _spikespace, neuron_index, _timebins, _period_bins, _lastindex, t_in_timesteps, N } #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    typedef bioneuro::Train<bioneuro::train_{{owner.name}}> Imposed;
    const int64_t _now = {{t_in_timesteps}};
    int32_t _count = 0;
    while (Imposed::next < Imposed::step.size() && Imposed::step[Imposed::next] <= _now)
        {{_spikespace}}[_count++] = Imposed::index[Imposed::next++];
    {{_spikespace}}[N] = _count;
{% endblock %}
