{# Brian2's state update, its elements shared out among the processor's cores where there are many: none depends on another, so the
   numbers are the same on any number of cores and in vector units. Brian2's own random numbers come from one sequence and stay on one core. #}
{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    const int _elements = {{constant_or_scalar('N', variables['N'])}};
    {% if not ('_rand(' in vector_code or '_randn(' in vector_code) %}
    #pragma omp parallel for simd schedule(static) if (parallel: _elements > 4096)
    {% endif %}
    for (int _idx = 0; _idx < _elements; _idx++)
    {
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
{% endblock %}
