"""Published numbers, typed a second time: `test_published_numbers.py` compares every model of the catalogue with this table.

Typed from the places named in each block, not from the catalogue, so that a typing slip in one of the two shows. A new model needs rows
here. A block reads

    name of a circuit, with {} for its set | where the numbers were looked up
          object.parameter[unit] parameter[unit] ...
    set | value ...
    object.parameter[unit] = value

where the last kind of line holds for all sets of the block and ``-`` says that a set has no such parameter. A ``?`` in front of a value says
that it could be checked nowhere: it is the catalogue's own, from memory. What the catalogue calls "chosen here" needs no row.
"""

BLOCKS = """
graupner2012 {} | public code of the authors, CalciumBasedPlasticityModel, synapticChange.py
      calcium.tau_Ca[second] Cpre Cpost theta_d theta_p gamma_d gamma_p sigma tau[second] D[second] beta b
DP                    | 0.02      1         2        1  1.3  200      321.808  2.8284 150      0.0137    0.5  5
DPD                   | 0.02      0.9       0.9      1  1.3  250      550      2.8284 150      0.0046    0.5  5
DPD'                  | 0.02      1         2        1  2.5  50       600      2.8284 150      0.0022    0.5  5
P                     | 0.02      2         2        1  1.3  160      257.447  2.8284 150      0         0.5  5
D                     | 0.02      0.6       0.6      1  1.3  500      550      5.6568 150      0         0.5  5
D'                    | 0.02      1         2        1  3.5  60       600      2.8284 150      0         0.5  5
hippocampal slices    | 0.0488373 1         0.275865 1  1.3  313.0965 1645.59  9.1844 688.355  0.0188008 0.7  5.28145
hippocampal cultures  | 0.0119536 0.58156   1.76444  1  1.3  61.141   113.6545 2.5654 33.7596  0.01      0.5  36.0263
cortical slices       | 0.0226936 0.5617539 1.23964  1  1.3  331.909  725.085  3.3501 346.3615 0.0046098 0.5  5.40988
DP bistable           | 0.02      1         2        1  1.3  200      321.808  2.8284 150      0.0137    0.5  5
cortical slices bistable | 0.0226936 0.5617539 1.23964 1 1.3 331.909  725.085  3.3501 346.3615 0.0046098 0.5  5.40988
calcium.rho_star = 0.5

graupner2012 {} | SI Table S3 as printed by a third party (ferromorphic)
      calcium.tau_Ca[ms] Cpre Cpost theta_d theta_p gamma_d gamma_p sigma tau[second] D[ms] beta b rho_star
S3 DPD'               | 20        1         1.3      1  1.3  150      310      2.8284 150   4.3   0.5  5 0.5
S3 DP                 | 20        1         2        1  1.3  150      241.356  2.8284 150   13.8  0.5  5 0.5

graupner2016 {} | public code of the authors, parameter_fit_solutions.py (linearCaModel, nonlinearCaModel)
      calcium.tau_Ca[second] Cpre Cpost theta_p gamma_d gamma_p tau[second] D[second]
linear                | 2.22721171e-02 8.44990637e-01 1.62137900 2.00928899 1.37758631e+02 5.97089216e+02 5.20761286e+02 9.53708736e-03
nonlinear             | 1.89304409e-02 8.64671725e-01 2.30814844 4.99779542 1.11825154e+02 8.94236947e+02 7.07022578e+02 1.00000000e-02
calcium.theta_d = 1

graupner2016 nonlinear | public code of the authors, Graupner2016JNeurosci_nonlinearCaModel.py
calcium.n = 2

deperrois2020 {} | public code of the authors, parameter_fit_solutions.py (sJFullSim0, sHFullSim1) and Deperrois2020PlosComputBiol/params.py
      calcium.tau_Ca[second] Cpre Cpost theta_p gamma_d gamma_p tau[second] D[second] U tau_rec[second]
visual cortex         | 3.83492083e-02 3.99132241 1.12940834 1.63069609 1.11320539e+02 5.64392975e+02 2.99877800e+02 9.23545841e-03 0.383753 0.1489192
somatosensory cortex  | 4.89774484e-02 2.41618557 1.38836494 1.38843434 1.76541097e+02 5.79578738e+02 1.43096290e+02 1.00700540e-02 0.46     0.525
calcium.theta_d = 1

higgins2014 {} | PLoS Comput Biol 10:e1003834 (calcium, in vivo 0.6 of in vitro); the rest are the cortical slices of 2012
      calcium.Cpre Cpost
in vitro              | 0.56175   1.23964
in vivo               | 0.33705   0.74378
in vitro bistable     | 0.56175   1.23964
in vivo bistable      | 0.33705   0.74378
calcium.tau_Ca[ms] = 22.6936
calcium.theta_d = 1
calcium.theta_p = 1.3
calcium.gamma_d = 331.909
calcium.gamma_p = 725.085
calcium.sigma = 3.3501
calcium.tau[second] = 346.3615
calcium.D[ms] = 4.6098
calcium.rho_star = 0.5

song2000 {} | Brian2 example STDP.py
      stdp.tau_plus[ms] tau_minus[ms] A_plus A_minus w_min w_max
all to all                  | 20 20 0.01 0.0105 0 1
nearest symmetric           | 20 20 0.01 0.0105 0 1
nearest presynaptic-centred | 20 20 0.01 0.0105 0 1
nearest reduced             | 20 20 0.01 0.0105 0 1
onto one neuron             | 20 20 0.01 0.0105 0 1

song2000 onto one neuron | Brian2 example STDP.py
stdp.g_max = 0.01
cell.tau_m[ms] = 10
cell.E_L[mV] = -74
cell.E_e[mV] = 0
cell.V_th[mV] = -54
cell.V_r[mV] = -60
cell.tau_e[ms] = 5

pfister2006 {} | public tables of two third parties (Plasticity_ker, ferromorphic), which agree: Tables 3 and 4
      triplet.A2_plus A3_plus A2_minus A3_minus tau_x[ms] tau_y[ms]
visual cortex all-to-all full     | 5e-10   6.2e-3 7e-3   2.3e-4 101 125
visual cortex all-to-all minimal  | 0       6.5e-3 7.1e-3 -      -   114
visual cortex nearest full        | 8.8e-11 5.3e-2 6.6e-3 3.1e-3 714 40
visual cortex nearest minimal     | 0       5.0e-2 8.0e-3 -      -   40
hippocampus all-to-all full       | 6.1e-3  6.7e-3 1.6e-3 1.4e-3 946 27
hippocampus all-to-all minimal    | 5.3e-3  8.0e-3 3.5e-3 -      -   40
hippocampus nearest full          | 4.6e-3  9.1e-3 3.0e-3 7.5e-9 575 47
hippocampus nearest minimal       | 4.6e-3  9.1e-3 3.0e-3 -      -   48
triplet.tau_plus[ms] = 16.8
triplet.tau_minus[ms] = 33.7

clopath2010 {} | Table 1b; pairings without homeostasis; 60 mV^2 is that of Fig. 5; 1.2 s as in the public code
      clopath.theta_minus[mV] theta_plus[mV] A_LTD[1/mV] A_LTP[1/mV**2] tau_x[ms] tau_minus[ms] tau_plus[ms]
visual cortex                                | -70.6 -45.3 14e-5 8e-5  15 10 7
somatosensory                                | -70.6 -45.3 21e-5 30e-5 30 6  5
visual cortex, voltages before the spike     | -70.6 -45.3 14e-5 8e-5  15 10 7
somatosensory, voltages before the spike     | -70.6 -45.3 21e-5 30e-5 30 6  5
published code, visual cortex                | -70.6 -45.3 14e-5 8e-5  15 10 7
published code, somatosensory                | -70.6 -45.3 21e-5 30e-5 30 6  5
clopath.homeostasis = 0
clopath.u2_ref[mV**2] = 60
clopath.tau_2[second] = 1.2
clopath.u_rest[mV] = -70.6
clopath.w_min = ?0
clopath.w_max = ?3

clopath2010 {} | Table 1a; detection, reset and the threshold after a spike as in the public code
      post.C[pF] g_L[nS] E_L[mV] V_T_rest[mV] Delta_T[mV] tau_w[ms] a[nS] I_sp[pA] tau_z[ms] V_T_max[mV] tau_V_T[ms] V_peak[mV] V_reset[mV]
visual cortex                                | 281 30 -70.6 -50.4 2 144 4 400 40 -30.4 50 20 -49.5016
somatosensory                                | 281 30 -70.6 -50.4 2 144 4 400 40 -30.4 50 20 -49.5016
visual cortex, voltages before the spike     | 281 30 -70.6 -50.4 2 144 4 400 40 -30.4 50 20 -49.5016
somatosensory, voltages before the spike     | 281 30 -70.6 -50.4 2 144 4 400 40 -30.4 50 20 -49.5016
published code, visual cortex                | 281 30 -70.6 -50.4 2 144 4 400 40 -30.4 50 20 -49.5016
published code, somatosensory                | 281 30 -70.6 -50.4 2 144 4 400 40 -30.4 50 20 -49.5016

clopath2010 {} | b of Table 1a; a spike of two steps of 1 ms at (29.4 + 32.862)/2 mV
      post.b[pA] V_spike[mV] repolarisation.t_spike[ms] clopath.own_spike
visual cortex                                | 0.805 31.131 2 1
somatosensory                                | 0.805 31.131 2 1
visual cortex, voltages before the spike     | 0.805 31.131 2 0
somatosensory, voltages before the spike     | 0.805 31.131 2 0

clopath2010 published code, {} | the public code: b = 0.0805 added to pA, held at 29.4, then 32.862 mV
      post.b[pA] V_early[mV] V_late[mV]
visual cortex         | 0.0805 29.4 32.862
somatosensory         | 0.0805 29.4 32.862

guetig2003 {} | mu = 0.02 is the default of Guetig2003WeightDependence.h (simons-auryn); 0 and 1 are the ends of the family
      stdp.mu tau[ms] lam alpha
additive              | 0    ?20 ?0.005 ?1.05
intermediate          | 0.02 ?20 ?0.005 ?1.05
multiplicative        | 1    ?20 ?0.005 ?1.05

vanrossum2000 | third party: vanRossumSTDP.h of the simulator Spike, which says it has the paper's values
stdp.c_p[pS] = 7
stdp.c_d = 0.003
stdp.tau_plus[ms] = 20
stdp.tau_minus[ms] = 20

luboeinski2021 {} | Methods and public programs of the authors; theta_p, theta_d of Li et al. 2016, calcium of the slices of Graupner & Brunel 2012
      stc.Cpre Cpost
single synapse        | 1.0  0.2758
network               | 0.6  0.16548
pathways              | 1.0  0.2758
neurons               | 1.0  0.2758
stc.tau_Ca[ms] = 48.8
stc.D[ms] = 18.8
stc.theta_p = 3.0
stc.theta_d = 1.2
stc.gamma_p = 1645.6
stc.gamma_d = 313.1
stc.tau_h[second] = 688.4
stc.leak = 0.1
stc.h0[mV] = 4.20075
stc.h_max[mV] = 10
stc.sigma_pl[mV] = 2.90436
stc.theta_tag[mV] = 0.84015
stc.tau_z[second] = 3600

luboeinski2021 {} | the same: protein, alone and in the postsynaptic neuron; half of 4.20075 mV
      stc.tau_p[second] alpha theta_pro[mV] neuron.tau_p[second] alpha theta_pro[mV]
single synapse        | 3600 1 2.100375 -    - -
network               | 3600 1 2.100375 -    - -
pathways              | -    - -        3600 1 2.100375
neurons               | -    - -        3600 1 2.100375

luboeinski2021 neurons | the same: leaky integrators of 10 Mohm and 1 nF, transmission in 3 ms
stc.d_axonal[ms] = 3
relay.V_rev[mV] = -65
relay.V_reset[mV] = -70
relay.V_th[mV] = -55
relay.tau_mem[ms] = 10
relay.t_ref[ms] = 2
neuron.V_rev[mV] = -65
neuron.V_reset[mV] = -70
neuron.V_th[mV] = -55
neuron.tau_mem[ms] = 10
neuron.t_ref[ms] = 2
neuron.tau_syn[ms] = 5

vogels2011 inhibitory | public code of an author, Auryn, sim_isp_orig.cpp: kappa, tau_stdp, gamma*eta
inhibitory.rho_0[Hz] = 3
inhibitory.tau[ms] = 20
inhibitory.eta = 1e-3

tsodyks1998 {} | Brian2 example Tsodyks_Pawelzik_Markram_1998.py, Fig. 1
      release.U tau_rec[ms] tau_facil[ms]
depressing            | 0.5  800 -
facilitating          | 0.03 130 530

vogels2005 LIF | Brian2 example CUBA.py: benchmark 2 of Brette et al. 2007
lif.tau_m[ms] = 20
lif.E_L[mV] = -49
lif.V_th[mV] = -50
lif.V_r[mV] = -60
lif.t_ref[ms] = 5
lif.tau_e[ms] = 5
lif.tau_i[ms] = 10
excitation.weight[mV] = 1.62

brette2005 AdEx | Brian2 example Brette_Gerstner_2005.py: regular spiking, cut 5 slope factors above V_T
adex.C[pF] = 281
adex.g_L[nS] = 30
adex.E_L[mV] = -70.6
adex.V_T[mV] = -50.4
adex.Delta_T[mV] = 2
adex.tau_w[ms] = 144
adex.a[nS] = 4
adex.b[nA] = 0.0805
adex.V_r[mV] = -70.6
adex.V_cut[mV] = -40.4

bellec2018 ALIF {} | LSNN-official, tutorials of sequential MNIST and of store and recall
      alif.tau_m[ms] tau_a[ms] b_0[volt] beta[volt*ms] t_ref[ms]
sequential MNIST      | 20 700  0.01 1.8 5
store and recall      | 20 1200 0.01 1.7 3

kobayashi2009 MAT {} | Matlab program of R. Kobayashi for Fig. 5B; 2 ms as in Yamauchi et al. 2011
      mat.omega[mV] alpha_1[mV] alpha_2[mV]
RS                    | -45 30   2.0
IB                    | -46 7.5  1.5
FS                    | -55 10   0.2
CH                    | -39 -0.5 0.4
mat.E_L[mV] = -65
mat.R[Mohm] = 50
mat.tau_m[ms] = 5
mat.tau_1[ms] = 10
mat.tau_2[ms] = 200
mat.t_ref[ms] = 2

izhikevich2003 {} | public tables of several third parties; some print other numbers for the resonator (b 0.3, d 8)
      izhikevich.a[1/ms] b[1/ms] c[mV] d[mV/ms]
RS                    | 0.02 0.2  -65 8
IB                    | 0.02 0.2  -55 4
CH                    | 0.02 0.2  -50 2
FS                    | 0.1  0.2  -65 2
LTS                   | 0.02 0.25 -65 2
TC                    | 0.02 0.25 -65 0.05
RZ                    | 0.1  0.26 -65 2
izhikevich.k_2[1/mV/ms] = 0.04
izhikevich.k_1[1/ms] = 5
izhikevich.k_0[mV/ms] = 140
izhikevich.v_peak[mV] = 30

hodgkin1952 squid axon | Table 3 and eqs. 12 to 24, with v = -65 mV - V; leak 10.613 mV over rest as in MOOSE's squid axon
axon.area[cm**2] = 1
axon.C[uF/cm**2] = 1
axon.g_Na[mS/cm**2] = 120
axon.g_K[mS/cm**2] = 36
axon.g_L[mS/cm**2] = 0.3
axon.E_rest[mV] = -65
axon.E_Na[mV] = 50
axon.E_K[mV] = -77
axon.E_L[mV] = -54.387
axon.A_m[1/ms] = 1
axon.V_m[mV] = 25
axon.K_m[mV] = 10
axon.B_m[1/ms] = 4
axon.L_m[mV] = 18
axon.A_h[1/ms] = 0.07
axon.K_h[mV] = 20
axon.B_h[1/ms] = 1
axon.V_h[mV] = 30
axon.L_h[mV] = 10
axon.A_n[1/ms] = 0.1
axon.V_n[mV] = 10
axon.K_n[mV] = 10
axon.B_n[1/ms] = 0.125
axon.L_n[mV] = 80
axon.phi = 1

guetig2006 tempotron | public replications: Tempotrons.jl (BinaryTempotron.jl), fangwei123456/tempotron
tempotron.tau[ms] = 15
tempotron.tau_s[ms] = 3.75
tempotron.V_rest = 0
tempotron.V_thr = 1
"""
