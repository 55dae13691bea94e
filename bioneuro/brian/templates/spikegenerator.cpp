{# Imposed spikes come from a file, so that neither their number nor their times are in the source. #}
{# USES_VARIABLES { _spikespace, neuron_index, _timebins, _period_bins, _lastindex, t_in_timesteps, N } #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    const std::vector<int32_t>& _fired = bioneuro::Train<bioneuro::train_{{owner.name}}>::now({{t_in_timesteps}});
    std::copy(_fired.begin(), _fired.end(), {{_spikespace}});
    {{_spikespace}}[N] = _fired.size();
{% endblock %}
